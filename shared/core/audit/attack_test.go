package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/store"
	"bindery/shared/table"
)

// attacker has all of the table, and neither the key nor the place where heads
// are kept: its store seals nothing.
type attacker struct {
	*world
	plain *store.Store
	runs  []store.RunRecord
	chain *Chain // ours, which goes on working afterwards
	heard *ear
}

func (w *world) conquered(runs []store.RunRecord) *attacker {
	c, heard := w.chain()
	return &attacker{world: w, plain: store.New(w.table, store.Options{Now: w.Now}), runs: runs, chain: c, heard: heard}
}

func (a *attacker) get(key table.Key) table.Item {
	a.Helper()
	it, err := a.table.Get(a.Context(), key)
	a.must(err)
	return it
}

func (a *attacker) put(items ...table.Item) {
	a.Helper()
	for _, it := range items {
		a.must(a.table.Write(a.Context(), table.Write{Put: &it}))
	}
}

func (a *attacker) remove(keys ...table.Key) {
	a.Helper()
	for _, k := range keys {
		a.must(a.table.Write(a.Context(), table.Write{Delete: &k}))
	}
}

// all of a partition.
func (a *attacker) partition(name, prefix string) []table.Item {
	a.Helper()
	page, err := a.table.Query(a.Context(), table.Query{Partition: name, Prefix: prefix})
	a.must(err)
	return page.Items
}

func (a *attacker) removeAll(items []table.Item) {
	a.Helper()
	for _, it := range items {
		a.remove(it.Key)
	}
}

func (a *attacker) runKey(i int) table.Key {
	return table.Key{Partition: "R#" + string(a.runs[i].ID), Sort: "run"}
}

func (a *attacker) chunkKey(i int) table.Key {
	return table.Key{Partition: "R#" + string(a.runs[i].ID), Sort: "c#000000"}
}

func (a *attacker) resultsKey(i, seq int) table.Key {
	return table.Key{Partition: "R#" + string(a.runs[i].ID), Sort: fmt.Sprintf("c#000000#%06d", seq)}
}

func (a *attacker) linkKey(seq int) table.Key {
	return table.Key{Partition: "CHAIN#" + string(a.conn.ID), Sort: fmt.Sprintf("link#%010d", seq)}
}

func (a *attacker) headKey(chain string) table.Key {
	return table.Key{Partition: "CHAINS", Sort: chain}
}

func (a *attacker) pointerKey(subject string) table.Key {
	return table.Key{Partition: "CHAIN#" + string(a.conn.ID), Sort: "of#" + subject}
}

// later lets our own processes go on: the schedule ticks, an hour passes.
func (a *attacker) later(d time.Duration) {
	a.Helper()
	_ = a.chain.Tend(a.Context()) // what it finds is looked at below
	a.Advance(d)
	_ = a.chain.Tend(a.Context())
}

// honest is one more run of ours that is linked.
func (a *attacker) honest(user string) store.RunRecord {
	a.Helper()
	a.hold()
	r := a.run(4, edit(user, "acc-"+user, "city", "old", "new"))
	a.must(a.chain.LinkRuns(a.Context(), a.conn.ID))
	return r
}

// snapshot copies the whole table, so that it can be rolled back.
func (a *attacker) snapshot() func() {
	a.Helper()
	before := a.items()
	return func() {
		for _, it := range a.items() {
			a.remove(it.Key)
		}
		a.put(before...)
	}
}

// pending is a run of ours that has ended and is not linked yet.
func (a *attacker) pending() store.RunRecord {
	a.Helper()
	a.hold()
	r := a.run(4, edits(3, func(i int) string { return fmt.Sprintf("usr_p%d", i) })...)
	a.runs = append(a.runs, r)
	return r
}

// verifyCodes runs a verification and returns the codes of what it found.
func (a *attacker) verifyCodes(alone bool) (codes []string, found []string) {
	a.Helper()
	keep := a.keep
	if alone {
		a.keep = nil
	}
	_, found = a.verify(VerifyRequest{})
	a.keep = keep
	set := map[string]bool{}
	for _, f := range found {
		code, _, _ := strings.Cut(f, " ")
		set[code] = true
	}
	return slices.Sorted(maps.Keys(set)), found
}

// The attacks. Each begins on an honest table with three linked runs and two
// linked hours, and is found by the codes that it names: without the heads that
// are kept outside where alone says so, and always with them.
func attacks() []struct {
	what  string
	do    func(a *attacker)
	want  []string // codes, with the heads
	alone []string // codes, from the table alone; nil: the same
} {
	const none = "nothing"
	return []struct {
		what  string
		do    func(a *attacker)
		want  []string
		alone []string
	}{
		// The six of the issue.
		{what: "a result is forged before its run is linked, for us to seal", do: func(a *attacker) {
			a.pending()
			a.tamper(a.resultsKey(3, 0), replaceBody(`"state":"applied"`, `"state":"failed"`))
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "a whole run with results and a mark is made up, for us to seal", do: func(a *attacker) {
			real := a.store
			a.store = a.plain
			a.hold()
			a.run(4, edit("usr_x", "acc-x", "city", "a", "b"))
			a.store = real
			a.Advance(graceAfterEnd)
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "an approval is forged before the run is linked, for us to seal", do: func(a *attacker) {
			a.pending()
			a.tamper(a.runKey(3), replaceBody(`"trigger":"edit"`, `"trigger":"edit","approvedBy":"boss","approvedAt":"2026-03-02T12:00:00Z"`))
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "a run is made up and dated back before the chain began", do: func(a *attacker) {
			real := a.store
			a.Advance(-90 * 24 * time.Hour)
			a.store = a.plain
			a.hold()
			r := a.run(4, edit("usr_x", "acc-x", "city", "a", "b"))
			a.store = real
			a.Advance(90 * 24 * time.Hour)
			a.remove(table.Key{Partition: "UNLINKED", Sort: string(a.conn.ID) + "#" + string(r.ID)})
		}, want: []string{DiffForged}},
		{what: "a chain is deleted and begins anew", do: func(a *attacker) {
			a.removeAll(a.partition("CHAIN#"+string(a.conn.ID), ""))
			a.remove(a.headKey(string(a.conn.ID)))
			for i := range 3 {
				a.removeAll(a.partition("R#"+string(a.runs[i].ID), ""))
			}
			for i := range 4 {
				a.honest(fmt.Sprint("usr_n", i))
			}
		}, want: []string{DiffHead}},
		{what: "the chain of acts is deleted and begins anew", do: func(a *attacker) {
			a.honest("usr_m")
			a.removeAll(a.partition("CHAIN#acts", ""))
			a.remove(a.headKey("acts"))
			a.later(time.Hour)
			a.honest("usr_n")
			if len(a.heard.of(directory.NotificationTampered)) == 0 {
				a.Error("nobody was told when the chain began anew")
			}
		}, want: []string{DiffHead}},
		{what: "the tail is cut off, with the head put back to an earlier one of ours", do: func(a *attacker) {
			head := a.get(a.headKey(string(a.conn.ID)))
			extra := a.honest("usr_n")
			a.removeAll(a.partition("R#"+string(extra.ID), ""))
			a.remove(a.linkKey(4), a.pointerKey(string(extra.ID)))
			a.put(head)
		}, want: []string{DiffHead}, alone: []string{none}},
		{what: "the same, an hour later", do: func(a *attacker) {
			head := a.get(a.headKey(string(a.conn.ID)))
			extra := a.honest("usr_n")
			a.later(time.Hour)
			a.removeAll(a.partition("R#"+string(extra.ID), ""))
			a.remove(a.linkKey(4), a.pointerKey(string(extra.ID)))
			a.put(head)
		}, want: []string{DiffHead}},
		{what: "the tail is cut off and we link on, over what was told", do: func(a *attacker) {
			head := a.get(a.headKey(string(a.conn.ID)))
			extra := a.honest("usr_n")
			a.removeAll(a.partition("R#"+string(extra.ID), ""))
			a.remove(a.linkKey(4), a.pointerKey(string(extra.ID)))
			a.put(head)
			a.honest("usr_m")
			a.honest("usr_o")
			if len(a.heard.of(directory.NotificationTampered)) == 0 {
				a.Error("nobody was told when the chain got another link 4")
			}
		}, want: []string{DiffHead}, alone: []string{none}},
		{what: "the tail is cut off, with a head that was never ours", do: func(a *attacker) {
			l, err := a.store.Chains.Link(a.Context(), string(a.conn.ID), 2)
			a.must(err)
			a.remove(a.linkKey(3))
			a.tamper(a.headKey(string(a.conn.ID)), func(it *table.Item) {
				it.Numbers["seq"], it.Strings["hash"], it.Numbers["at"] = 2, l.Hash, l.At.UnixMilli()
			})
		}, want: []string{DiffHead, DiffHeadChanged, DiffUnlinked}},
		// More.
		{what: "results are exchanged between two runs before they are linked", do: func(a *attacker) {
			a.pending()
			a.pending()
			x, y := a.get(a.resultsKey(3, 0)), a.get(a.resultsKey(4, 0))
			x.Key, y.Key = y.Key, x.Key
			a.put(x, y)
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted, DiffUnlisted}},
		{what: "an old mark is put back after results were taken away", do: func(a *attacker) {
			r := a.pending()
			mark := a.get(table.Key{Partition: "UNLINKED", Sort: string(a.conn.ID) + "#" + string(r.ID)})
			a.later(time.Minute)
			a.remove(a.resultsKey(3, 0))
			a.put(mark)
			a.later(time.Minute)
		}, want: []string{DiffMissing}},
		{what: "an old mark is put back after results were taken away, and the pointer to the link", do: func(a *attacker) {
			r := a.run(2, edits(6, func(i int) string { return fmt.Sprintf("usr_p%d", i) })...)
			a.runs = append(a.runs, r)
			mark := a.get(table.Key{Partition: "UNLINKED", Sort: string(a.conn.ID) + "#" + string(r.ID)})
			a.later(time.Minute)
			a.honest("usr_n")
			a.remove(a.resultsKey(3, 0), a.pointerKey(string(r.ID)))
			a.put(mark)
			a.later(time.Minute)
			if h, _ := a.store.Chains.Head(a.Context(), string(a.conn.ID)); h.Seq != 5 {
				a.Errorf("links = %d, want no second one of the run", h.Seq)
			}
		}, want: []string{DiffMissing, DiffPointer}},
		{what: "the value before a change is another", do: func(a *attacker) {
			a.tamper(a.chunkKey(1), replaceBody(`"before":"old"`, `"before":"older"`))
		}, want: []string{DiffChanged}},
		{what: "the value before a change is another, before its run is linked", do: func(a *attacker) {
			a.pending()
			a.tamper(a.chunkKey(3), replaceBody(`"before":"old"`, `"before":"older"`))
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "an act is taken away", do: func(a *attacker) {
			a.removeAll(a.partition(fmt.Sprintf("ACTS#%08d", time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Unix()/3600), ""))
		}, want: []string{DiffMissing}},
		{what: "an act is put into an hour that was passed", do: func(a *attacker) {
			a.Advance(-3 * time.Hour)
			a.must(a.plain.Audit.RecordAuditEvent(a.Context(), directory.AuditEvent{Kind: "release", By: "eve", ConnectionID: a.conn.ID}))
			a.Advance(3 * time.Hour)
		}, want: []string{DiffInserted}},
		{what: "an act is put beside those of a linked hour, dated to another one", do: func(a *attacker) {
			it := a.partition(fmt.Sprintf("ACTS#%08d", time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Unix()/3600), "")[0]
			it.Partition = fmt.Sprintf("ACTS#%08d", time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC).Unix()/3600)
			it.Body = bytes.Replace(it.Body, []byte(`"by":"ada"`), []byte(`"by":"eve"`), 1)
			a.put(it)
		}, want: []string{DiffInserted}},
		{what: "an act of this hour is forged, for us to seal", do: func(a *attacker) {
			a.must(a.plain.Audit.RecordAuditEvent(a.Context(), directory.AuditEvent{Kind: "approve-run", By: "boss", ConnectionID: a.conn.ID}))
			a.later(2 * time.Hour)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "entries are made to expire at once, before they are linked", do: func(a *attacker) {
			a.pending()
			a.tamper(a.runKey(3), func(it *table.Item) { it.Expires = a.Now().Add(time.Minute) })
			a.tamper(a.resultsKey(3, 0), func(it *table.Item) { it.Expires = a.Now().Add(time.Minute) })
			a.later(time.Minute)
		}, want: []string{DiffForged}},
		{what: "linked entries are made to expire, and do", do: func(a *attacker) {
			a.remove(a.resultsKey(0, 0))
		}, want: []string{DiffMissing}},
		{what: "the digests of a link are replaced, in the link as well", do: func(a *attacker) {
			l, err := a.store.Chains.Link(a.Context(), string(a.conn.ID), 2)
			a.must(err)
			leaf := a.get(table.Key{Partition: "CHAIN#" + l.Chain, Sort: "leaf#" + l.Digest + "#0000"})
			leaf.Body = bytes.Replace(leaf.Body, []byte(`"sum":"`), []byte(`"sum":"00`), 1)
			var leaves []directory.ChainLeaf
			a.must(json.Unmarshal(leaf.Body, &leaves))
			l.Digest = digestOf(leaves)
			leaf.Sort = "leaf#" + l.Digest + "#0000"
			l.Hash = hashOf(&l.ChainStatement)
			body, err := json.Marshal(l)
			a.must(err)
			a.put(leaf)
			a.tamper(a.linkKey(2), func(it *table.Item) { it.Body = body })
		}, want: []string{DiffHead, DiffLinkChanged}, alone: []string{DiffLinkChanged}},
		{what: "the pointer from a run to its link is taken away", do: func(a *attacker) {
			a.remove(a.pointerKey(string(a.runs[1].ID)))
		}, want: []string{DiffPointer}},
		{what: "the hours that were dealt with are put forward, over acts that nobody is to seal", do: func(a *attacker) {
			a.must(a.store.Audit.RecordAuditEvent(a.Context(), directory.AuditEvent{Kind: "approve-run", By: "eve", ConnectionID: a.conn.ID}))
			a.tamper(a.headKey("acts"), func(it *table.Item) { it.Numbers["through"] += 30 })
			if codes, found := a.verifyCodes(true); !slices.Contains(codes, DiffHeadChanged) {
				a.Errorf("before the next tick: %v", found)
			}
			a.later(2 * time.Hour)
			if len(a.heard.of(directory.NotificationTampered)) == 0 {
				a.Error("nobody was told")
			}
		}, want: []string{none}}, // found by the next tick, which deals with the hours all the same
		{what: "a link of another connection is put in place of one", do: func(a *attacker) {
			other := a.connect("B", "tenant-2")
			mine := a.conn
			a.conn = other
			a.hold()
			a.honest("usr_other")
			it := a.get(table.Key{Partition: "CHAIN#" + string(other.ID), Sort: "link#0000000001"})
			a.conn = mine
			it.Key = a.linkKey(1)
			a.put(it)
		}, want: []string{DiffHead, DiffLinkChanged, DiffUnlinked}, alone: []string{DiffLinkChanged, DiffUnlinked}},
		{what: "who asked for a linked run is another", do: func(a *attacker) {
			a.tamper(a.runKey(2), replaceBody(`"trigger":"edit"`, `"trigger":"edit","askedBy":"boss"`))
		}, want: []string{DiffChanged}},
		{what: "a linked run is said to have ended otherwise", do: func(a *attacker) {
			a.tamper(a.runKey(2), replaceBody(`"state":"done"`, `"state":"failed"`))
		}, want: []string{DiffChanged}},
		{what: "a run that did nothing is made up, with an approval", do: func(a *attacker) {
			it := a.get(a.runKey(2))
			id := directory.NewRunID(a.Now())
			it.Body = bytes.ReplaceAll(it.Body, []byte(a.runs[2].ID), []byte(id))
			it.Key = table.Key{Partition: "R#" + string(id), Sort: "run"}
			it.Index1.Sort = string(id)
			a.put(it)
			a.tamper(it.Key, replaceBody(`"trigger":"edit"`, `"trigger":"edit","approvedBy":"boss"`))
		}, want: []string{DiffForged}},
		{what: "a run is taken away before it is linked", do: func(a *attacker) {
			r := a.pending()
			a.removeAll(a.partition("R#"+string(r.ID), ""))
			a.later(time.Minute)
		}, want: []string{DiffMissing}},
		{what: "the mark of a run that was changed is taken away", do: func(a *attacker) {
			r := a.pending()
			a.tamper(a.resultsKey(3, 0), replaceBody("req-1", "req-x"))
			a.remove(table.Key{Partition: "UNLINKED", Sort: string(a.conn.ID) + "#" + string(r.ID)})
			a.later(time.Hour)
		}, want: []string{DiffForged}},
		{what: "the mark of a run is taken away", do: func(a *attacker) {
			r := a.pending()
			a.remove(table.Key{Partition: "UNLINKED", Sort: string(a.conn.ID) + "#" + string(r.ID)})
			a.later(time.Hour)
		}, want: []string{DiffUnlinked}},
		{what: "a result is added to a linked run, with a mark for late ones", do: func(a *attacker) {
			late := store.Journal{Run: &a.runs[0], Chunk: 0, Seq: 9, Refs: []directory.Ref{directory.AccountOf("usr_0_1")},
				Results: []store.Result{{Index: 1, State: directory.ChangeFailed, At: a.Now()}}}
			a.must(a.plain.Runs.JournalLate(a.Context(), late))
			if codes, found := a.verifyCodes(true); !slices.Equal(codes, []string{DiffInserted}) {
				a.Errorf("while the mark is there: %v", found)
			}
			a.later(graceAfterEnd)
		}, want: []string{DiffInserted}},
		{what: "an entry is taken out of the listings", do: func(a *attacker) {
			a.tamper(a.resultsKey(0, 0), func(it *table.Item) { it.Index1, it.Index2 = table.Key{}, table.Key{} })
		}, want: []string{DiffUnlisted}},
		{what: "a run that stands in no list is made up, whose results do", do: func(a *attacker) {
			it, chunk, results := a.get(a.runKey(2)), a.get(a.chunkKey(2)), a.get(a.resultsKey(2, 0))
			id := directory.NewRunID(a.Now())
			it.Body = bytes.ReplaceAll(it.Body, []byte(a.runs[2].ID), []byte(id))
			it.Partition, chunk.Partition, results.Partition = "R#"+string(id), "R#"+string(id), "R#"+string(id)
			it.Index1 = table.Key{}
			results.Index1.Sort = strings.ReplaceAll(results.Index1.Sort, string(a.runs[2].ID), string(id))
			results.Index2.Sort = results.Index1.Sort
			a.put(it, chunk, results)
		}, want: []string{DiffForged, DiffUnlisted}},
		{what: "who approved a run is taken off it before it is linked", do: func(a *attacker) {
			a.hold()
			changes := edits(3, func(i int) string { return fmt.Sprintf("usr_p%d", i) })
			r := a.begin(changes...)
			r.ApprovedBy, r.ApprovedAt, r.Approval, r.Decided = "boss", a.Now().UTC(), &store.Approval{All: true}, true
			a.must(a.store.Runs.SaveRun(a.Context(), nil, &r))
			a.apply(&r, 0, 0, 4, changes)
			a.end(&r, directory.RunDone)
			a.runs = append(a.runs, r)
			at, err := r.ApprovedAt.MarshalJSON()
			a.must(err)
			a.tamper(a.runKey(3), func(it *table.Item) {
				delete(it.Strings, "sealApproval")
				for _, part := range []string{`,"approvedBy":"boss"`, `,"approvedAt":` + string(at), `,"approval":{"all":true}`} {
					if !bytes.Contains(it.Body, []byte(part)) {
						a.Fatalf("the run's record does not hold %s: %s", part, it.Body)
					}
					it.Body = bytes.ReplaceAll(it.Body, []byte(part), nil)
				}
			})
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "a run is made to have failed before it is linked", do: func(a *attacker) {
			a.pending()
			a.tamper(a.runKey(3), replaceBody(`"state":"done"`, `"state":"failed"`))
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "a head is said to have been told", do: func(a *attacker) {
			a.chain.Publish = &ear{fail: 1}
			a.hold()
			a.run(4, edit("usr_n", "acc-n", "city", "a", "b"))
			_ = a.chain.LinkRuns(a.Context(), a.conn.ID) // it is linked, and nobody is told
			a.tamper(a.headKey(string(a.conn.ID)), func(it *table.Item) { it.Numbers["told"] = 4 })
			a.chain.Publish = a.heard
			a.later(2 * time.Minute)
			if kept, _ := a.keep.Kept(a.Context(), string(a.conn.ID), 3, 10); len(kept) != 1 || a.heard.headsOf(string(a.conn.ID)) != 1 {
				a.Errorf("kept %v, told %v", kept, a.heard.of(directory.NotificationHead))
			}
		}, want: []string{none}},
		{what: "seals are taken off a run of today, so that it looks old", do: func(a *attacker) {
			a.Advance(rolloutTime)
			a.pending()
			for _, key := range []table.Key{a.runKey(3), a.chunkKey(3), a.resultsKey(3, 0)} {
				a.tamper(key, func(it *table.Item) { it.Strings = nil })
			}
			a.tamper(a.chunkKey(3), replaceBody(`"before":"old"`, `"before":"older"`))
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted}},
		{what: "a run is added to those that may be old", do: func(a *attacker) {
			a.Advance(rolloutTime)
			real := a.store
			a.store = a.plain
			a.hold()
			r := a.run(4, edit("usr_x", "acc-x", "city", "a", "b"))
			a.store = real
			l, err := a.store.Chains.Link(a.Context(), "acts", 1)
			a.must(err)
			body, err := json.Marshal([]directory.ChainLeaf{{ID: leafRun + string(r.ID), Sum: string(a.conn.ID)}})
			a.must(err)
			a.tamper(table.Key{Partition: "CHAIN#acts", Sort: "leaf#" + l.Digest + "#0000"}, func(it *table.Item) { it.Body = body })
			a.later(time.Minute)
		}, want: []string{DiffForged, DiffInserted, DiffLeaves}},
		{what: "the table is put back to what it was yesterday", do: func(a *attacker) {
			back := a.snapshot()
			a.Advance(20 * time.Hour)
			a.honest("usr_n")
			a.later(time.Hour)
			back()
		}, want: []string{DiffHead}, alone: []string{none}},
		{what: "a record is made unreadable", do: func(a *attacker) {
			a.tamper(a.chunkKey(1), func(it *table.Item) { it.Body = []byte("{") })
			a.tamper(a.linkKey(1), func(it *table.Item) { it.Body = []byte("{") })
		}, want: []string{DiffChanged, DiffHead, DiffLinkChanged, DiffUnlinked}, alone: []string{DiffChanged, DiffLinkChanged, DiffUnlinked}},
	}
}

func TestAttacks(t *testing.T) {
	for _, c := range attacks() {
		t.Run(c.what, func(t *testing.T) {
			w, runs := linkedWorld(t)
			w.Advance(rolloutTime) // this stack was never of an older version
			c2, _ := w.chain()
			w.must(c2.Tend(t.Context()))
			a := w.conquered(runs)
			if codes, found := a.verifyCodes(false); len(codes) != 0 {
				t.Fatalf("before the attack: %v", found)
			}
			c.do(a)
			want := func(list []string) []string {
				if slices.Equal(list, []string{"nothing"}) {
					return nil
				}
				return slices.Sorted(slices.Values(list))
			}
			if c.alone == nil {
				c.alone = c.want
			}
			if codes, found := a.verifyCodes(true); !slices.Equal(codes, want(c.alone)) {
				t.Errorf("from the table alone = %v, want %v:\n%s", codes, c.alone, strings.Join(found, "\n"))
			}
			if codes, found := a.verifyCodes(false); !slices.Equal(codes, want(c.want)) {
				t.Errorf("with the heads that are kept = %v, want %v:\n%s", codes, c.want, strings.Join(found, "\n"))
			}
		})
	}
}

// What was cut off is also found by whoever remembers a head: in each of the
// ways to cut it off.
func TestRememberedHeads(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(a *attacker, old table.Item)
	}{
		{"the head is put back", func(a *attacker, old table.Item) { a.remove(a.linkKey(4)); a.put(old) }},
		{"the head is put back, and we link on", func(a *attacker, old table.Item) {
			a.remove(a.linkKey(4))
			a.put(old)
			a.honest("usr_m")
		}},
		{"the whole chain is deleted", func(a *attacker, _ table.Item) {
			a.removeAll(a.partition("CHAIN#"+string(a.conn.ID), ""))
			a.remove(a.headKey(string(a.conn.ID)))
		}},
		{"the whole chain is deleted, and we link on", func(a *attacker, _ table.Item) {
			a.removeAll(a.partition("CHAIN#"+string(a.conn.ID), ""))
			a.remove(a.headKey(string(a.conn.ID)))
			for i := range 4 {
				a.honest(fmt.Sprint("usr_n", i))
			}
		}},
		{"only the head is deleted", func(a *attacker, _ table.Item) {
			a.remove(a.linkKey(4), a.headKey(string(a.conn.ID)))
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, runs := linkedWorld(t)
			a := w.conquered(runs)
			old := a.get(a.headKey(string(a.conn.ID)))
			a.honest("usr_last")
			h, err := a.store.Chains.Head(t.Context(), string(a.conn.ID))
			a.must(err)
			c.do(a, old)
			a.keep = nil
			_, codes := a.verify(VerifyRequest{Heads: []KnownHead{{h.Chain, h.Seq, h.Hash}}})
			if !slices.Contains(codes, fmt.Sprintf("head-differs %s#%d", h.Chain, h.Seq)) {
				t.Errorf("verify = %v", codes)
			}
		})
	}
}

// A run that is to be carried out must be one that ours began, for whoever asked,
// and approved as an admin did.
func TestAttest(t *testing.T) {
	for _, c := range []struct {
		what string
		do   func(a *attacker, r *store.RunRecord)
		ours bool
	}{
		{"as it is", func(a *attacker, r *store.RunRecord) {}, true},
		{"approved", func(a *attacker, r *store.RunRecord) {
			r.ApprovedBy, r.ApprovedAt, r.Approval, r.Decided = "boss", a.Now(), &store.Approval{Chosen: 1}, true
			a.must(a.store.Runs.SaveRun(a.Context(), nil, r, store.Note{Name: store.NoteApproved, Body: map[int][]int{0: {0}}}))
		}, true},
		{"approved, and saved again since", func(a *attacker, r *store.RunRecord) {
			r.ApprovedBy, r.ApprovedAt, r.Approval, r.Decided = "boss", a.Now(), &store.Approval{All: true}, true
			a.must(a.store.Runs.SaveRun(a.Context(), nil, r))
			a.must(a.store.Runs.SaveRun(a.Context(), nil, r))
		}, true},
		{"approved, and more of it named since", func(a *attacker, r *store.RunRecord) {
			r.ApprovedBy, r.ApprovedAt, r.Approval, r.Decided = "boss", a.Now(), &store.Approval{Chosen: 1}, true
			a.must(a.store.Runs.SaveRun(a.Context(), nil, r, store.Note{Name: store.NoteApproved, Body: map[int][]int{0: {0}}}))
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "n#" + store.NoteApproved}, replaceBody("[0]", "[0,1,2]"))
		}, false},
		{"approved in part, and made one of all", func(a *attacker, r *store.RunRecord) {
			r.ApprovedBy, r.ApprovedAt, r.Approval, r.Decided = "boss", a.Now(), &store.Approval{Effects: []directory.Effect{"block"}}, true
			a.must(a.store.Runs.SaveRun(a.Context(), nil, r))
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "run"}, replaceBody(`"approval":{`, `"approval":{"all":true,`))
		}, false},
		{"approved by nobody", func(a *attacker, r *store.RunRecord) {
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "run"}, replaceBody(`"trigger":"edit"`, `"trigger":"edit","approvedBy":"boss"`))
		}, false},
		{"saved by a worker that read an approval by nobody", func(a *attacker, r *store.RunRecord) {
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "run"}, replaceBody(`"trigger":"edit"`, `"trigger":"edit","approvedBy":"boss"`))
			read, err := a.store.Runs.Run(a.Context(), r.ID)
			a.must(err)
			a.must(a.store.Runs.SaveRun(a.Context(), nil, &read))
		}, false},
		{"asked for by nobody", func(a *attacker, r *store.RunRecord) {
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "run"}, replaceBody(`"trigger":"edit"`, `"trigger":"admin","askedBy":"ada"`))
		}, false},
		{"about one user, and made one about all", func(a *attacker, r *store.RunRecord) {
			*r = a.beginWith(func(r *store.RunRecord) { r.UserIDs, r.AskedBy = []directory.UserID{"usr_1"}, "ada" })
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "run"}, replaceBody(`"userIds":["usr_1"]`, `"userIds":[]`))
		}, false},
		{"without seals", func(a *attacker, r *store.RunRecord) {
			a.tamper(table.Key{Partition: "R#" + string(r.ID), Sort: "run"}, func(it *table.Item) { it.Strings = nil })
		}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, runs := linkedWorld(t)
			w.Advance(rolloutTime)
			a := w.conquered(runs)
			a.hold()
			r := a.begin(edits(3, func(i int) string { return fmt.Sprint("usr_", i) })...)
			c.do(a, &r)
			read, err := a.store.Runs.Run(t.Context(), r.ID)
			a.must(err)
			ours, old, err := a.chain.Attest(t.Context(), &read)
			if err != nil || ours != c.ours || old || (len(a.heard.of(directory.NotificationTampered)) == 0) != c.ours {
				t.Errorf("Attest = %v, %v, %v; told %d", ours, old, err, len(a.heard.of(directory.NotificationTampered)))
			}
		})
	}
}

// oldWorld is a table that an older version has written: nothing is sealed when
// it is written, and links are of the first form.
func oldWorld(t *testing.T) (*world, []store.RunRecord) {
	t.Helper()
	w := newWorld(t)
	w.store = store.New(w.table, store.Options{Now: w.Now})
	var runs []store.RunRecord
	w.must(w.store.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "sign-in", By: "ada", ConnectionID: w.conn.ID}))
	hour := w.Now().Unix() / 3600
	for i := range 3 {
		w.hold()
		r := w.run(4, edits(5+i, func(n int) string { return fmt.Sprintf("usr_%d_%d", i, n) })...)
		runs = append(runs, r)
		if i < 2 {
			w.oldLink(string(w.conn.ID), string(r.ID))
		}
		w.Advance(time.Hour)
	}
	w.oldLink(directory.AuditChain, hourSubject(hour))
	h, err := w.store.Chains.Head(t.Context(), directory.AuditChain)
	w.must(err)
	w.must(w.store.Chains.PassHours(t.Context(), h, hour+1))
	w.hold()
	runs = append(runs, w.begin(edits(4, func(n int) string { return fmt.Sprintf("usr_open_%d", n) })...)) // open while the version changes
	dry := w.begin(edits(1, func(n int) string { return "usr_dry" })...)
	dry.DryRun = true
	w.end(&dry, directory.RunCancelled)
	marks, err := w.store.Chains.PendingLinks(t.Context(), w.conn.ID, nil, 10)
	w.must(err)
	for i := range marks {
		if marks[i].RunID == dry.ID {
			w.must(w.store.Chains.DropPendingLink(t.Context(), &marks[i]))
		}
	}
	for _, it := range w.items() { // an older version has no seals, not even empty ones
		it.Strings = maps.Clone(it.Strings)
		for _, name := range []string{"seal", "sealTold", "sealBirth", "why"} {
			delete(it.Strings, name)
		}
		w.must(w.table.Write(t.Context(), table.Write{Put: &it}))
	}
	w.store = w.sealed(w.table)
	return w, runs
}

// oldLink links as an older version does.
func (w *world) oldLink(chain, subject string) {
	w.Helper()
	x := verifyStep{verifier: &Verifier{Chains: ChainStoresOf(w.store), Stores: VerifyStoresOf(w.store)}}
	l := directory.ChainLink{ChainStatement: directory.ChainStatement{Chain: chain, Subject: subject}}
	j, err := x.readEntries(w.Context(), &l, false)
	w.must(err)
	h, err := w.store.Chains.Head(w.Context(), chain)
	w.must(err)
	leaves := j.leaves()
	l.Seq, l.At, l.Previous, l.Expires = h.Seq+1, w.Now().UTC(), h.Hash, j.expires.UTC()
	l.Entries, l.Digest, l.Parts = len(leaves), digestOf(leaves), 1
	l.Hash = hashOf(&l.ChainStatement)
	l.MAC, l.Key, err = testSeal{"k"}.Sign(w.Context(), statementBytes(&l.ChainStatement))
	w.must(err)
	w.must(w.store.Chains.PutLeaves(w.Context(), &l.ChainStatement, leaves))
	if hour, ok := subjectHour(subject); ok {
		h.Through = hour
	}
	var mark *store.PendingLink
	if chain != directory.AuditChain {
		mark, err = w.store.Chains.PendingLinkOf(w.Context(), directory.ConnectionID(chain), directory.RunID(subject))
		w.must(err)
	}
	w.must(w.store.Chains.AddLink(w.Context(), h, &l, mark))
	w.must(w.store.Chains.HeadPublished(w.Context(), chain, l.Seq))
}

// What an older version wrote is no tampering: it is counted as proved only
// since it was linked. New records need seals all the same.
func TestOldForm(t *testing.T) {
	w, runs := oldWorld(t)
	if job, codes := w.verify(VerifyRequest{}); len(codes) != 0 || job.Counts[countOld] != 5+6+1 {
		t.Errorf("before the new version begins: %v, %v", codes, job.Counts)
	}
	c, heard := w.chain()
	w.must(c.Tend(t.Context()))
	if job, codes := w.verify(VerifyRequest{}); len(codes) != 0 || job.Counts[countOld] != 5+6+7+1 {
		t.Errorf("after its first tick: %v, %v", codes, job.Counts)
	}
	for range 10 {
		w.Advance(30 * time.Minute)
		w.must(c.Tend(t.Context()))
	}
	// The run that was open goes on in the new version, long after.
	w.hold()
	open, err := w.store.Runs.Run(t.Context(), runs[3].ID)
	w.must(err)
	if ours, old, err := c.Attest(t.Context(), &open); err != nil || ours || !old {
		t.Errorf("Attest of an old run = %v, %v, %v", ours, old, err)
	}
	w.apply(&open, 0, 0, 4, edits(4, func(n int) string { return fmt.Sprintf("usr_open_%d", n) }))
	w.end(&open, directory.RunDone)
	w.run(4, edit("usr_new", "acc-new", "city", "a", "b"))
	w.must(c.LinkRuns(t.Context(), ""))
	job, codes := w.verify(VerifyRequest{})
	if len(codes) != 0 || job.Counts[countOld] != 5+6+7+1+4 || job.Counts["entries"] != 5+6+7+1+4+1+4 || // with the beginnings and ends of two verifications
		job.Counts[countOldRuns] != 1 {
		t.Errorf("later: %v, %v", codes, job.Counts)
	}
	if told := heard.of(directory.NotificationTampered); len(told) != 0 {
		t.Errorf("told: %v", told)
	}
	// The heads of the old chains are kept as well.
	if kept, err := w.keep.Kept(t.Context(), string(w.conn.ID), 0, 10); err != nil || len(kept) < 3 {
		t.Errorf("kept = %v, %v", kept, err)
	}
	// What is forged now does not pass for old.
	a := w.conquered(runs)
	real := a.store
	a.store = a.plain
	a.hold()
	a.Advance(-6 * time.Hour)
	r := a.run(4, edit("usr_x", "acc-x", "city", "a", "b"))
	a.Advance(6 * time.Hour)
	a.store = real
	a.later(time.Hour)
	if codes, found := a.verifyCodes(true); !slices.Equal(codes, []string{DiffForged, DiffInserted}) || !strings.Contains(strings.Join(found, " "), string(r.ID)) {
		t.Errorf("with a run made up: %v", found)
	}
}

// An older version that comes back (a deployment is rolled back) and goes again
// is no tampering either.
func TestOldFormComesBack(t *testing.T) {
	w, _ := oldWorld(t)
	c, heard := w.chain()
	for range 10 {
		w.must(c.Tend(t.Context()))
		w.Advance(30 * time.Minute)
	}
	w.store = store.New(w.table, store.Options{Now: w.Now})
	hour := w.Now().Unix() / 3600
	w.must(w.store.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "bind", By: "ada", ConnectionID: w.conn.ID}))
	w.hold()
	r := w.run(4, edit("usr_back", "acc-b", "city", "a", "b"))
	head := w.items()
	w.oldLink(string(w.conn.ID), string(r.ID))
	w.Advance(time.Hour)
	w.oldLink(directory.AuditChain, hourSubject(hour))
	w.must(w.store.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: "bind", By: "ada", ConnectionID: w.conn.ID}))
	w.run(4, edit("usr_back2", "acc-b2", "city", "a", "b"))
	for _, it := range w.items() { // older versions leave the seal of a head as it is
		for _, old := range head {
			if old.Partition == "CHAINS" && old.Key == it.Key {
				it.Strings["seal"], it.Strings["sealTold"] = old.Strings["seal"], old.Strings["sealTold"]
				w.must(w.table.Write(t.Context(), table.Write{Put: &it}))
			}
		}
	}
	w.store = w.sealed(w.table)
	for range 10 {
		w.must(c.Tend(t.Context()))
		w.Advance(30 * time.Minute)
	}
	job, codes := w.verify(VerifyRequest{})
	if len(codes) != 0 || len(heard.of(directory.NotificationTampered)) != 0 {
		t.Errorf("verify = %v, %v; told %v", codes, job.Counts, heard.of(directory.NotificationTampered))
	}
}

// Heads that cannot be kept are kept by the schedule, once they can.
func TestHeadsAreKeptInTheEnd(t *testing.T) {
	w := newWorld(t)
	c, heard := w.chain()
	down := &closed{Keeper: w.keep, down: true}
	c.Keep = down
	r := w.run(4, edit("usr_1", "acc-1", "city", "a", "b"))
	if err := c.LinkRuns(t.Context(), w.conn.ID); err == nil {
		t.Fatal("LinkRuns = nil, want that the head could not be kept")
	}
	if l, err := w.store.Chains.Link(t.Context(), string(w.conn.ID), 1); err != nil || l.Subject != string(r.ID) {
		t.Errorf("the link waits for the head: %v, %v", l, err)
	}
	if len(heard.of(directory.NotificationHead)) != 1 {
		t.Errorf("the event waits for the head: %v", heard.heard)
	}
	w.Advance(2 * time.Minute)
	if err := c.Tend(t.Context()); err == nil {
		t.Error("Tend = nil while heads cannot be kept")
	}
	down.down = false
	w.Advance(2 * time.Minute)
	w.must(c.Tend(t.Context()))
	if kept, err := w.keep.Kept(t.Context(), string(w.conn.ID), 0, 10); err != nil || len(kept) != 1 || kept[0].Seq != 1 {
		t.Errorf("kept = %v, %v", kept, err)
	}
	if _, codes := w.verify(VerifyRequest{}); len(codes) != 0 {
		t.Errorf("verify = %v", codes)
	}
}

// closed is a keeper that may not be reached.
type closed struct {
	Keeper
	down bool
}

func (c *closed) Keep(ctx context.Context, h directory.ChainHead) error {
	if c.down {
		return errDeaf
	}
	return c.Keeper.Keep(ctx, h)
}

var _ Keeper = (*heads.Memory)(nil)

// What is kept is held against an export as well.
func TestKeptHeadsOfAnExport(t *testing.T) {
	w, _ := linkedWorld(t)
	v := &Verifier{Chains: ChainStoresOf(w.store), Stores: VerifyStoresOf(w.store), Signer: testSeal{"k"}}
	list, _, err := v.Links(t.Context(), string(w.conn.ID), "", 2)
	w.must(err)
	known, behind, err := KeptHeads(t.Context(), w.keep, bytes.NewReader(LinkLines(list)))
	if err != nil || len(known) != 2 || len(behind) != 1 || behind[0].Seq != 3 {
		t.Fatalf("KeptHeads = %v, %v, %v", known, behind, err)
	}
	examine := func() []string {
		out, err := VerifyExport(strings.NewReader(""), bytes.NewReader(LinkLines(list)), ExportCheck{Heads: known, Partial: true, Now: w.Now()})
		w.must(err)
		var codes []string
		for _, d := range out.Differences {
			codes = append(codes, fmt.Sprintf("%s %d", d.Code, d.Seq))
		}
		return codes
	}
	if got := examine(); len(got) != 0 {
		t.Errorf("VerifyExport = %v", got)
	}
	// Who has the key makes the chain anew; only what was kept shows it.
	for i := range list {
		if i > 0 {
			list[i].Previous = list[i-1].Hash
		}
		list[i].At = list[i].At.Add(time.Second)
		list[i].Hash = hashOf(&list[i].ChainStatement)
	}
	if got := examine(); !slices.Equal(got, []string{"head-differs 1", "head-differs 2"}) {
		t.Errorf("of a chain made anew = %v", got)
	}
}
