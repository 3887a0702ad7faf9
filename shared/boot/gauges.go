package boot

import "bindery/shared/reconcile"

// countTick reports what a tick did. The gauges are reported whatever they are:
// an alarm takes silence for a schedule that does not run.
func countTick(i *Invocation, t *reconcile.Ticked) {
	i.Set("connections", t.Connections)
	i.Set("jobs", t.Jobs)
	i.Set("failed", t.Failed)
	i.Set("cut", t.Cut)
	i.Count(WakeUps, t.Woken+t.Jobs)
	for name, m := range map[string]Metric{
		reconcile.GaugeActive: ConnectionsActive, reconcile.GaugeNeedsAdmin: ConnectionsNeedAuthorization,
		reconcile.GaugeLate: ConnectionsLate, reconcile.GaugeHeld: RunsHeld,
	} {
		i.Count(m, t.Gauges[name])
	}
}
