//go:build race

package reconcile

// crashStride lets the race detector, under which all is several times slower,
// see every ninth of the places at which the crash tests strike. Without it they
// strike at each.
const crashStride = 9
