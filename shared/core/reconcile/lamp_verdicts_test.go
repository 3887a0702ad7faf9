package reconcile

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// barred is a lane that is open, and which the second look for leavers fails in.
type barred struct {
	closed
	looks *int
	err   error
}

func (barred) open() bool { return true }

func (b barred) attend(context.Context) error {
	if *b.looks++; *b.looks > 1 {
		return b.err
	}
	return nil
}

// TestLampReadHasEnded: what a kind asks by Work.Read has ended when Read returns,
// also where serving leavers failed meanwhile: it writes to what the caller reads.
func TestLampReadHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{now: time.Now, lease: store.Lease{Until: time.Now().Add(LeaseTTL)}}
		failed := errors.New("leavers cannot be served")
		looks, found := 0, ""
		w := s.work(nil, barred{closed{s}, &looks, failed})
		err := w.Read(t.Context(), 1, func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second) // it is still decoding an answer
			found = "something"
			return ctx.Err()
		})
		if !errors.Is(err, failed) || found == "" {
			t.Errorf("Read returned %v, and what it asked has found %q", err, found)
		}
	})
}

// oddHall is the tenant's API with the lamps, whose answers to writes of lamps a
// test changes.
type oddHall struct {
	hallPort
	answer func(directory.Outcome) directory.Outcome
}

func (h oddHall) Write(ctx context.Context, writes []directory.AccountWrite) ([]directory.Outcome, error) {
	out, err := h.hallPort.Write(ctx, writes)
	if writes[0].Object.Kind == lampKind {
		for i := range out {
			out[i] = h.answer(out[i])
		}
	}
	return out, err
}

// oddLamps are lamps that answer the engine otherwise where a test says so.
type oddLamps struct {
	*lamps
	odd oddAnswers
}

type oddAnswers struct {
	confirm, find func(c *directory.Change, v Verdict) Verdict
	sort          func(c *directory.Change) Verdict
	drifted       func(all []directory.Change, places []int) map[int]Verdict
	names         func(c *directory.Change) (gives, takes string)
}

func (k *oddLamps) Open(s Slice, tenant Tenant) Objects {
	return &openOddLamps{k.lamps.Open(s, tenant.(oddHall).hallPort), k.odd}
}

type openOddLamps struct {
	Objects
	odd oddAnswers
}

func (o *openOddLamps) Batch(w Work) Batch { return &oddBatch{o.Objects.Batch(w), o.odd} }

func (o *openOddLamps) Drifted(ctx context.Context, w Work, all []directory.Change, places []int) (map[int]Verdict, error) {
	if o.odd.drifted == nil {
		return o.Objects.Drifted(ctx, w, all, places)
	}
	return o.odd.drifted(all, places), nil
}

func (o *openOddLamps) Names(c *directory.Change) (gives, takes string) {
	if o.odd.names == nil {
		return o.Objects.Names(c)
	}
	return o.odd.names(c)
}

type oddBatch struct {
	Batch
	odd oddAnswers
}

func (b *oddBatch) Confirm(ctx context.Context, changes []*directory.Change) ([]Verdict, error) {
	verdicts, err := b.Batch.Confirm(ctx, changes)
	for n := range verdicts {
		if b.odd.confirm != nil {
			verdicts[n] = b.odd.confirm(changes[n], verdicts[n])
		}
	}
	return verdicts, err
}

func (b *oddBatch) Sort(c *directory.Change, out directory.Outcome) Verdict {
	if b.odd.sort == nil {
		return b.Batch.Sort(c, out)
	}
	return b.odd.sort(c)
}

func (b *oddBatch) Find(ctx context.Context, list []Unanswered) ([]Verdict, error) {
	verdicts, err := b.Batch.Find(ctx, list)
	for n := range verdicts {
		if b.odd.find != nil {
			verdicts[n] = b.odd.find(list[n].Change, verdicts[n])
		}
	}
	return verdicts, err
}

// odd has lamps answer the engine as a test says, and the tenant answer writes.
func (w *lampWorld) odd(odd oddAnswers, answer func(directory.Outcome) directory.Outcome) {
	c := w.engine.config
	c.Kinds = []Kind{&oddLamps{w.lamps, odd}}
	c.Open = func(context.Context, *directory.Connection) (Tenant, error) {
		return oddHall{hallPort{w.port}, answer}, nil
	}
	w.engine = New(c)
}

// TestLampIsJournalledBeforeLeavers: while it is looked what became of a write of a
// kind, nothing else is begun: a crash would leave the batch untold.
func TestLampIsJournalledBeforeLeavers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLampWorld(t)
		ann := w.user("ann")
		w.bind(ann)
		w.sync()
		time.Sleep(w.skew)
		w.skew = 0
		slow := &waiting{next: w.port.rt, took: 8 * time.Second, is: func(r *http.Request, _ []byte) bool {
			return r.URL.Host == "lamps.example" && r.Method == http.MethodGet
		}}
		w.port.rt = slow
		w.odd(oddAnswers{}, func(directory.Outcome) directory.Outcome {
			slow.open.Store(true)
			return directory.Outcome{Unknown: true}
		})
		refs := w.hang(1, "red")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for again := time.Duration(0); again >= 0; {
				sum, err := w.engine.Slice(w.Context(), directory.WakeUp{ConnectionID: w.conn.ID}, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				again = sum.Again
				time.Sleep(max(again, 0))
			}
		}()
		for slow.met.Load() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		w.edit(ann, func(u *directory.User) { u.State = directory.StateSuspended })
		for began := time.Now(); w.account(ann.Email)["accountEnabled"] != false && time.Since(began) < time.Minute; {
			time.Sleep(10 * time.Millisecond)
		}
		if b := w.lamp(refs[0]); b.AccountID == "" {
			t.Errorf("the leaver was served before the lamp was journalled: %+v", b)
		}
		<-ended
		if b := w.binding(ann); b.Status != directory.BindingInSync || b.Dirty() {
			t.Errorf("the leaver's binding is %s", b.Status)
		}
	})
}
