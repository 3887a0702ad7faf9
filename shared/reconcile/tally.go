package reconcile

// tally counts what became of the batch's changes, by state and effect, for the
// day's summary.
func (b *sending) tally() map[string]int {
	n := make(map[string]int, len(b.results))
	for i, r := range b.results {
		n[string(r.State)+"/"+string(b.changes[i].Effect)]++
	}
	return n
}
