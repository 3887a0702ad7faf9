package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
	"bindery/shared/table"
)

func TestVerifyFindsNothingWhereNothingIs(t *testing.T) {
	w, _ := linkedWorld(t)
	job, codes := w.verify(VerifyRequest{})
	if len(codes) != 0 || job.Counts["links"] != 6 || job.Counts["entries"] != 10+11+12+1+2 || job.Done != 6 || job.Total != 6 || job.Counts[countOld] != 0 {
		t.Errorf("verify = %v, counts %v, %d of %d", codes, job.Counts, job.Done, job.Total)
	}
}

func TestVerifyTellsWhatWasDone(t *testing.T) {
	chunk := func(r store.RunRecord) table.Key { return table.Key{Partition: "R#" + string(r.ID), Sort: "c#000000"} }
	results := func(r store.RunRecord, seq int) table.Key {
		return table.Key{Partition: "R#" + string(r.ID), Sort: fmt.Sprintf("c#000000#%06d", seq)}
	}
	for _, c := range []struct {
		what string
		do   func(w *world, runs []store.RunRecord)
		want func(w *world, runs []store.RunRecord) []string
	}{
		{"a value in a change", func(w *world, runs []store.RunRecord) { w.tamper(chunk(runs[1]), replaceBody("new 3", "new 4")) },
			func(w *world, runs []store.RunRecord) []string {
				return []string{"changed " + string(runs[1].ID) + ".0.3"}
			}},
		{"a request-id", func(w *world, runs []store.RunRecord) {
			w.tamper(results(runs[0], 0), replaceBody(`"req-1"`, `"req-x"`))
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"changed " + string(runs[0].ID) + ".0.1"}
		}},
		{"who approved", func(w *world, runs []store.RunRecord) {
			w.tamper(table.Key{Partition: "R#" + string(runs[2].ID), Sort: "run"}, replaceBody(`"trigger":"edit"`, `"trigger":"edit","approvedBy":"boss"`))
		}, func(w *world, runs []store.RunRecord) []string {
			all := []string{"changed " + string(runs[2].ID)}
			for i := range 12 {
				all = append(all, fmt.Sprintf("changed %s.0.%d", runs[2].ID, i))
			}
			slices.Sort(all)
			return all
		}},
		{"results taken away", func(w *world, runs []store.RunRecord) { w.tamper(results(runs[0], 2), nil) },
			func(w *world, runs []store.RunRecord) []string {
				return []string{"missing " + string(runs[0].ID) + ".0.8", "missing " + string(runs[0].ID) + ".0.9"}
			}},
		{"results added", func(w *world, runs []store.RunRecord) {
			it, err := w.table.Get(w.Context(), results(runs[0], 0))
			w.must(err)
			it.Key = results(runs[0], 7)
			it.Body = []byte(`[{"i":2,"state":"failed","at":"2026-03-02T09:00:00Z"}]`)
			w.must(w.table.Write(w.Context(), table.Write{Put: &it}))
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"inserted " + string(runs[0].ID) + ".0.2", "unlisted " + string(runs[0].ID) + ".0.2"}
		}},
		{"a run taken away", func(w *world, runs []store.RunRecord) {
			w.tamper(table.Key{Partition: "R#" + string(runs[0].ID), Sort: "run"}, nil)
		}, func(w *world, runs []store.RunRecord) []string {
			var all []string
			for i := range 10 {
				all = append(all, fmt.Sprintf("missing %s.0.%d", runs[0].ID, i))
			}
			return all
		}},
		{"a link changed", func(w *world, runs []store.RunRecord) {
			w.tamper(table.Key{Partition: "CHAIN#" + string(w.conn.ID), Sort: "link#0000000002"}, replaceBody(`"entries":11`, `"entries":10`))
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"link-changed " + string(w.conn.ID) + "#2"}
		}},
		{"a link made anew, without the key", func(w *world, runs []store.RunRecord) {
			forged, err := w.store.Chains.Link(w.Context(), string(w.conn.ID), 3)
			w.must(err)
			forged.At = forged.At.Add(time.Minute)
			forged.Hash = hashOf(&forged.ChainStatement)
			forged.MAC, _, _ = testSeal{"another"}.Sign(w.Context(), statementBytes(&forged.ChainStatement))
			h, err := w.store.Chains.Head(w.Context(), string(w.conn.ID))
			w.must(err)
			h.Seq, h.Hash = 2, forged.Previous
			w.tamper(table.Key{Partition: "CHAIN#" + string(w.conn.ID), Sort: "link#0000000003"}, nil)
			w.must(w.store.Chains.AddLink(w.Context(), h, &forged, nil))
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"head-differs " + string(w.conn.ID) + "#3", "link-changed " + string(w.conn.ID) + "#3"}
		}},
		{"a link taken away", func(w *world, runs []store.RunRecord) {
			w.tamper(table.Key{Partition: "CHAIN#" + string(w.conn.ID), Sort: "link#0000000002"}, nil)
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"link-missing " + string(w.conn.ID) + "#2"}
		}},
		{"the last link taken away", func(w *world, runs []store.RunRecord) {
			w.tamper(table.Key{Partition: "CHAIN#" + string(w.conn.ID), Sort: "link#0000000003"}, nil)
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"head-differs " + string(w.conn.ID) + "#3", "link-missing " + string(w.conn.ID) + "#3"}
		}},
		{"leaves taken away", func(w *world, runs []store.RunRecord) {
			l, err := w.store.Chains.Link(w.Context(), string(w.conn.ID), 1)
			w.must(err)
			w.tamper(table.Key{Partition: "CHAIN#" + string(w.conn.ID), Sort: "leaf#" + l.Digest + "#0000"}, nil)
		}, func(w *world, runs []store.RunRecord) []string {
			return []string{"digest-lost " + string(w.conn.ID) + "#1"}
		}},
		{"an act taken away", func(w *world, runs []store.RunRecord) {
			for _, e := range w.all(&Report{Stores: ReportStoresOf(w.store)}, Query{Effect: "sign-in"}, 10) {
				w.tamper(table.Key{Partition: fmt.Sprintf("ACTS#%08d", e.At.Unix()/3600), Sort: fmt.Sprintf("%013d#a#%s", e.At.UnixMilli(), e.ID)}, nil)
			}
		}, nil},
		{"an act in an hour that had none", func(w *world, runs []store.RunRecord) {
			w.Advance(-4 * time.Hour)
			w.must(w.store.Audit.RecordAuditEvent(w.Context(), directory.AuditEvent{Kind: "release", By: "eve", ConnectionID: w.conn.ID}))
			w.Advance(4 * time.Hour)
		}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, runs := linkedWorld(t)
			w.keep = nil // from the table alone
			c.do(w, runs)
			_, codes := w.verify(VerifyRequest{})
			if c.want == nil {
				if len(codes) != 1 || !strings.HasPrefix(codes[0], "missing act_") && !strings.HasPrefix(codes[0], "inserted act_") {
					t.Errorf("verify = %v", codes)
				}
				return
			}
			if want := c.want(w, runs); !slices.Equal(codes, want) {
				t.Errorf("verify = %v, want %v", codes, want)
			}
		})
	}
}

func TestVerifyFindsARunThatWasMadeUp(t *testing.T) {
	w, _ := linkedWorld(t)
	r := w.run(5, edits(3, func(i int) string { return fmt.Sprintf("usr_x%d", i) })...)
	marks, err := w.store.Chains.PendingLinks(w.Context(), w.conn.ID, nil, 10)
	w.must(err)
	if _, codes := w.verify(VerifyRequest{}); len(codes) != 0 {
		t.Errorf("a run that waits for its link is reported: %v", codes)
	}
	w.must(w.store.Chains.DropPendingLink(w.Context(), &marks[0]))
	w.Advance(time.Hour)
	_, codes := w.verify(VerifyRequest{})
	if len(codes) != 3 || codes[0] != "unlinked "+string(r.ID)+".0.0" {
		t.Errorf("verify = %v", codes)
	}
}

func TestVerifyHoldsTheChainAgainstWhatWasTold(t *testing.T) {
	w, _ := linkedWorld(t)
	h, err := w.store.Chains.Head(w.Context(), string(w.conn.ID))
	w.must(err)
	known := KnownHead{h.Chain, h.Seq, h.Hash}
	if _, codes := w.verify(VerifyRequest{Heads: []KnownHead{known}}); len(codes) != 0 {
		t.Errorf("verify = %v", codes)
	}
	// The last link goes, and the head with it: only who was told knows.
	w.tamper(table.Key{Partition: "CHAIN#" + string(w.conn.ID), Sort: "link#0000000003"}, nil)
	l, err := w.store.Chains.Link(w.Context(), h.Chain, 2)
	w.must(err)
	w.tamper(table.Key{Partition: "CHAINS", Sort: h.Chain}, func(it *table.Item) { it.Numbers["seq"], it.Strings["hash"] = 2, l.Hash })
	_, codes := w.verify(VerifyRequest{Heads: []KnownHead{known}})
	if !slices.Contains(codes, "head-differs "+h.Chain+"#3") {
		t.Errorf("verify = %v", codes)
	}
	// The whole chain goes.
	for _, seq := range []int{1, 2} {
		w.tamper(table.Key{Partition: "CHAIN#" + h.Chain, Sort: fmt.Sprintf("link#%010d", seq)}, nil)
	}
	w.tamper(table.Key{Partition: "CHAINS", Sort: h.Chain}, nil)
	if _, codes = w.verify(VerifyRequest{Heads: []KnownHead{known}}); !slices.Contains(codes, "head-differs "+h.Chain+"#3") {
		t.Errorf("verify without the chain = %v", codes)
	}
}

func TestExpiredEntriesLeaveTheirDigest(t *testing.T) {
	w, _ := linkedWorld(t)
	w.Advance(401 * 24 * time.Hour)
	c, _ := w.chain()
	for range 30 {
		w.must(c.LinkHours(t.Context()))
	}
	job, codes := w.verify(VerifyRequest{})
	if len(codes) != 0 || job.Counts[DiffExpired] != 10+11+12+1+2 || job.Counts["links"] != 6 {
		t.Errorf("verify = %v, counts %v", codes, job.Counts)
	}
}

func TestVerifySince(t *testing.T) {
	w, runs := linkedWorld(t)
	w.tamper(table.Key{Partition: "R#" + string(runs[0].ID), Sort: "c#000000#000000"}, nil)
	job, codes := w.verify(VerifyRequest{ConnectionID: w.conn.ID, Since: runs[1].StartedAt})
	if len(codes) != 0 || job.Counts["links"] != 2 {
		t.Errorf("verify = %v, counts %v", codes, job.Counts)
	}
}
