package crashtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"bindery/infra/stack"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/store"
)

// journal is what Bindery says that it did.
type journal struct {
	runs    []store.RunRecord
	changes []directory.Change
	names   map[directory.UserID]string
	all     *strings.Replacer // of all identifiers
}

// who names the object of a change.
func (j *journal) who(c *directory.Change) string {
	if c.Object.IsZero() {
		return j.names[c.UserID]
	}
	return j.all.Replace(c.Object.String())
}

// value tells a value, that of a manager to come as it came.
func (j *journal) value(v directory.Value) string {
	if u, coming := directory.ManagerToCome(v); coming {
		return text("account " + j.names[u])
	}
	return j.all.Replace(text(v))
}

func (w *World) readJournal(ctx context.Context) (*journal, error) {
	j := &journal{names: map[directory.UserID]string{}, all: w.named()}
	for name, id := range w.users {
		j.names[id] = name
	}
	var err error
	if j.runs, _, err = w.store.Runs.ListRuns(ctx, w.conn, "", 10000); err != nil {
		return nil, err
	}
	for i := range j.runs {
		if j.runs[i].DryRun {
			continue
		}
		changes, _, err := w.store.Runs.Changes(ctx, &j.runs[i], "", 10000)
		if err != nil {
			return nil, err
		}
		j.changes = append(j.changes, changes...)
	}
	return j, nil
}

// applied lists the changes that took effect, the end of sessions once for each
// account, since that may be repeated.
func (j *journal) applied() []string {
	var list []string
	for i := range j.changes {
		c := &j.changes[i]
		if c.State != directory.ChangeApplied {
			continue
		}
		if c.Effect == directory.EffectLicenceSwap {
			list = append(list, j.swapped(c)...)
			continue
		}
		line := fmt.Sprintf("%s %s", c.Effect, j.who(c))
		for _, p := range c.Properties {
			if c.Object.Kind != directory.KindMember { // whose group and account may still be to come
				line += fmt.Sprintf(" %s:%s->%s", p.Name, j.value(p.Before), j.value(p.After))
			}
		}
		if c.Effect != directory.EffectRevoke || !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	slices.Sort(list)
	return list
}

// swapped tells of a swap as of a removal and an addition: whose groups are not brought
// up to date at once, since one of them could not be read, has the one after the other.
func (j *journal) swapped(c *directory.Change) []string {
	var list []string
	for _, p := range c.Properties {
		effect := directory.EffectLicenceAdd
		if p.After.IsNull() {
			effect = directory.EffectLicenceRemove
		}
		list = append(list, fmt.Sprintf("%s %s %s:%s->%s", effect, j.who(c), p.Name, j.value(p.Before), j.value(p.After)))
	}
	return list
}

// superseded reports whether another run took the place of one: its changes stay as
// they were planned.
func (j *journal) superseded(id directory.RunID) bool {
	return slices.ContainsFunc(j.runs, func(r store.RunRecord) bool { return r.ID == id && r.State == directory.RunSuperseded })
}

func (j *journal) effects() map[directory.Effect]int {
	n := map[directory.Effect]int{}
	for i := range j.changes {
		if j.changes[i].State == directory.ChangeApplied {
			n[j.changes[i].Effect]++
		}
	}
	return n
}

// verify holds the end against the simulator's log, the journal against both,
// and both against how it goes when nothing goes wrong.
func (w *World) verify(ctx context.Context, s *Snapshot, r *Reference) error {
	now, err := w.standing(ctx)
	if err != nil {
		return err
	}
	var wrong []error
	if last := r.standings[len(r.standings)-1]; now != last {
		wrong = append(wrong, fmt.Errorf("at the end: %s", difference(last, now)))
	}
	j, err := w.readJournal(ctx)
	if err != nil {
		return err
	}
	for i := range j.runs {
		if run := &j.runs[i]; !run.State.Ended() || run.State == directory.RunFailed {
			wrong = append(wrong, fmt.Errorf("run %s is %s: %w", run.ID, run.State, run.Error))
		}
	}
	for i := range j.changes {
		c := &j.changes[i]
		run, _, _, _ := store.Place(c.ID)
		if !j.superseded(run) && (c.State == directory.ChangePlanned || c.State == directory.ChangeApproved) {
			wrong = append(wrong, fmt.Errorf("the change %s of %s is still %s", c.Effect, j.who(c), c.State))
		}
	}
	if got := j.applied(); !slices.Equal(got, r.journal) {
		wrong = append(wrong, fmt.Errorf("the journal: %s", difference(strings.Join(r.journal, "\n"), strings.Join(got, "\n"))))
	}
	wrong = append(wrong, w.audit.wrong...)
	if err := w.proof(ctx); err != nil {
		wrong = append(wrong, err)
	}
	if w.mail.dead > 0 {
		wrong = append(wrong, fmt.Errorf("%d messages were tried too often", w.mail.dead))
	}
	if debug && len(wrong) > 0 {
		for _, r := range j.runs {
			fmt.Println(r.ID, r.Kind, r.State, r.Trigger, r.DryRun, r.Counts, r.Applied, r.Failed, r.StartedAt, r.UserIDs, r.Error)
			cs, _, _ := w.store.Runs.Changes(ctx, &r, "", 1000)
			for _, c := range cs {
				fmt.Println("    ", c.Effect, j.who(&c), c.State, c.Error, c.At)
			}
		}
		for _, m := range w.Sim.Mutations(simTenant)[s.mutations:] {
			fmt.Println("  M", m.Time, m.Kind, m.UPN, m.TargetID)
		}
	}
	wrong = append(wrong, w.once(s, j)...)
	return errors.Join(append(wrong, w.onceRelated(s, j)...)...)
}

// once demands that nothing was done twice, and nothing that is not journalled.
func (w *World) once(s *Snapshot, j *journal) []error {
	var wrong []error
	for _, q := range w.Sim.Requests() {
		if q.Method == "POST" && strings.EqualFold(strings.TrimPrefix(q.Path, "/"), "users") && q.Status >= 400 {
			wrong = append(wrong, fmt.Errorf("a creation was sent although its account was there: answered %d", q.Status))
		}
	}
	done := map[string]int{}
	for _, m := range w.Sim.Mutations(simTenant)[s.mutations:] {
		if m.AppID != stack.ClientID || related(&m) {
			continue
		}
		what := fmt.Sprintf("%s %s", m.Kind, m.UPN)
		switch m.Kind {
		case "noop":
			continue
		case "revoke":
		case "update":
			for name, v := range m.After {
				done[fmt.Sprintf("%s %s=%s", m.TargetID, name, text(v))]++
			}
		default:
			done[what]++
		}
		if !j.tells(&m) {
			wrong = append(wrong, fmt.Errorf("the journal does not tell of %s %s -> %s", what, text(m.Before), text(m.After)))
		}
	}
	for what, n := range done {
		if n > 1 {
			wrong = append(wrong, fmt.Errorf("%s took effect %d times", what, n))
		}
	}
	return wrong
}

// kinds are the simulator's words for effects.
var kinds = map[string][]directory.Effect{
	"create": {directory.EffectCreate}, "revoke": {directory.EffectRevoke}, "restore": {directory.EffectRestore}, "delete": {directory.EffectDelete},
	"update": {directory.EffectUpdate, directory.EffectUpdateSensitive, directory.EffectRename, directory.EffectBlock, directory.EffectUnblock},
}

// tells reports whether a change that was applied stands for a mutation, with
// the values from before it.
func (j *journal) tells(m *entratest.Mutation) bool {
	for i := range j.changes {
		c := &j.changes[i]
		if c.State != directory.ChangeApplied || !slices.Contains(kinds[m.Kind], c.Effect) || !strings.EqualFold(string(c.AccountID), m.TargetID) {
			continue
		}
		if m.Kind != "update" || holds(c, m) {
			return true
		}
	}
	return false
}

// holds reports whether a change has every value of an update, before and after.
func holds(c *directory.Change, m *entratest.Mutation) bool {
	before, after := flat(m.Before), flat(m.After)
	for name, v := range after {
		i := slices.IndexFunc(c.Properties, func(p directory.PropertyChange) bool { return p.Name == name })
		if i < 0 || text(c.Properties[i].After) != text(v) || text(c.Properties[i].Before) != text(before[name]) {
			return false
		}
	}
	return true
}

// flat takes extension attributes out of their object.
func flat(m map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range m {
		if ext, ok := v.(map[string]any); ok && name == "onPremisesExtensionAttributes" {
			for n, x := range ext {
				out[n] = x
			}
			continue
		}
		out[name] = v
	}
	return out
}

var debug = os.Getenv("CRASHDEBUG") != ""
