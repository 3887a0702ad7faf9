package reconcile

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/core/plan"
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
		w := s.work(&store.RunRecord{}, barred{closed{s}, &looks, failed})
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

func (h oddHall) Write(ctx context.Context, writes []directory.Write) ([]directory.Outcome, error) {
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
		time.Sleep(w.skew.Load())
		w.skew.Store(0)
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

// TestLampVerdicts: what a kind may answer of a change is done, whichever method it
// answers by: nothing is sent that waits, and nothing fails that goes out again.
func TestLampVerdicts(t *testing.T) {
	applied, failed := directory.ChangeApplied, directory.ChangeFailed
	wait, find, hidden := Verdict{Wait: 2 * time.Second}, Verdict{Find: true}, Verdict{Hidden: true}
	unsure, done := Verdict{Unsure: &directory.Outcome{Status: http.StatusServiceUnavailable}}, Verdict{State: applied}
	for name, test := range map[string]struct {
		confirm, sort, find []Verdict // the first answers of each; afterwards the lamps' own
		state               directory.ChangeState
		confirms, writes    int
	}{
		"Confirm waits":                          {confirm: []Verdict{wait}, state: applied, confirms: 2, writes: 1},
		"Confirm is unsure":                      {confirm: []Verdict{unsure}, state: applied, confirms: 2, writes: 1},
		"Confirm has it found, applied":          {confirm: []Verdict{find}, find: []Verdict{done}, state: applied, confirms: 1},
		"Confirm has it found, hidden, then not": {confirm: []Verdict{find, find}, find: []Verdict{hidden, {}}, state: applied, confirms: 3, writes: 1},
		"Sort waits":                             {sort: []Verdict{wait}, state: applied, confirms: 2, writes: 2},
		"Sort is unsure":                         {sort: []Verdict{unsure}, state: applied, confirms: 2, writes: 2},
		"Sort is always unsure":                  {sort: slices.Repeat([]Verdict{unsure}, 9), state: failed, confirms: maxTries, writes: maxTries},
		"Sort says applied":                      {sort: []Verdict{done}, state: applied, confirms: 1, writes: 1},
		"Sort says nothing":                      {sort: []Verdict{{}}, state: failed, confirms: 1, writes: 1},
		"Sort has it found, applied":             {sort: []Verdict{find}, find: []Verdict{done}, state: applied, confirms: 1, writes: 1},
		"Sort has it found, not applied":         {sort: []Verdict{find}, find: []Verdict{{}}, state: applied, confirms: 2, writes: 2},
		"Sort has it found, never applied":       {sort: slices.Repeat([]Verdict{find}, 9), find: make([]Verdict, 9), state: failed, confirms: maxTries, writes: maxTries},
		"Sort has it found, unsure":              {sort: []Verdict{find}, find: []Verdict{unsure}, state: applied, confirms: 2, writes: 2},
		"Sort has it found, failed":              {sort: []Verdict{find}, find: []Verdict{{State: failed, Problem: &directory.Problem{Code: "broken"}}}, state: failed, confirms: 1, writes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newLampWorld(t)
				refs := w.hang(1, "red")
				w.sync()
				confirms, refusals := 0, len(test.sort)
				next := func(list *[]Verdict, own Verdict) Verdict {
					if len(*list) == 0 {
						return own
					}
					v := (*list)[0]
					*list = (*list)[1:]
					return v
				}
				w.odd(oddAnswers{
					confirm: func(_ *directory.Change, v Verdict) Verdict { confirms++; return next(&test.confirm, v) },
					sort:    func(*directory.Change) Verdict { return next(&test.sort, Verdict{}) },
					find:    func(_ *directory.Change, v Verdict) Verdict { return next(&test.find, v) },
				}, func(out directory.Outcome) directory.Outcome {
					if refusals--; refusals < 0 {
						return out
					}
					return directory.Outcome{Status: http.StatusBadRequest, Problem: &directory.Problem{Code: "refused", Kind: directory.ProblemData}}
				})
				written := len(w.hall.writes)
				time.Sleep(time.Second) // runs are told apart by their time
				w.paint(refs, "blue")
				w.sync()
				run, changes := w.lastRun()
				if run.State != directory.RunDone || len(changes) != 1 || changes[0].State != test.state {
					t.Fatalf("the run is %s with %s (%+v)", run.State, effects(changes), run.Error)
				}
				if test.state == applied && changes[0].Error != nil {
					t.Errorf("applied with a problem: %+v", changes[0].Error)
				}
				if n := len(w.hall.writes) - written; n != test.writes || confirms != test.confirms {
					t.Errorf("sent %d times and confirmed %d times, want %d and %d", n, confirms, test.writes, test.confirms)
				}
			})
		})
	}
}

// TestLampThatHasNotDrifted: an approved change of which a kind says nothing else is
// sent.
func TestLampThatHasNotDrifted(t *testing.T) {
	w := newLampWorld(t)
	w.settings(func(s *directory.Settings) {
		none := 0
		s.Guard = map[directory.Effect]directory.Limit{directory.EffectUpdateSensitive: {Count: &none}}
	})
	w.odd(oddAnswers{drifted: func(_ []directory.Change, places []int) map[int]Verdict {
		out := map[int]Verdict{}
		for _, i := range places {
			out[i] = Verdict{}
		}
		return out
	}}, func(out directory.Outcome) directory.Outcome { return out })
	refs := w.hang(1, "red")
	w.sync()
	w.paint(refs, "blue")
	w.sync()
	held, _ := w.lastRun()
	w.approve(held.ID, plan.Approval{All: true})
	if run, changes := w.lastRun(); run.State != directory.RunDone || effects(changes) != "update-sensitive:applied" {
		t.Errorf("the run is %s with %q", run.State, effects(changes))
	}
}

// TestLampNamesGoInTurn: of two changes of which one takes the name that the other
// gives up, that one goes first, though each of them has no other name.
func TestLampNamesGoInTurn(t *testing.T) {
	w := newLampWorld(t)
	refs := w.hang(2, "red")
	w.sync()
	w.odd(oddAnswers{names: func(c *directory.Change) (gives, takes string) {
		if c.Object == refs[0] {
			return "", "n"
		}
		return "n", ""
	}}, func(out directory.Outcome) directory.Outcome { return out })
	written := len(w.hall.writes)
	w.paint(refs, "blue")
	w.sync()
	if got := w.hall.writes[written:]; !slices.Equal(got, []string{"l001 blue", "l000 blue"}) {
		t.Errorf("written: %v", got)
	}
}

// namedKind is a kind of which only the name counts.
type namedKind struct {
	Kind
	name directory.Kind
}

func (k namedKind) Name() directory.Kind { return k.name }

// TestKindsThatCannotBeToldApart are a mistake in the program, which shows at once.
func TestKindsThatCannotBeToldApart(t *testing.T) {
	for _, test := range []struct {
		kinds []directory.Kind
		bad   bool
	}{{nil, false}, {[]directory.Kind{"lamp", "torch"}, false}, {[]directory.Kind{"account"}, true}, {[]directory.Kind{"lamp", "lamp"}, true},
		{[]directory.Kind{"a:b"}, true}, {[]directory.Kind{"a#b"}, true}, {[]directory.Kind{"a/b"}, true}, {[]directory.Kind{""}, true}} {
		var list []Kind
		for _, name := range test.kinds {
			list = append(list, namedKind{name: name})
		}
		func() {
			defer func() {
				if panicked := recover() != nil; panicked != test.bad {
					t.Errorf("kinds %q: panicked %t", test.kinds, panicked)
				}
			}()
			New(Config{Kinds: list})
		}()
	}
}

// TestLampIsNoUserReadBack: a round of accounts shows nothing of other kinds, and is
// not asked for them.
func TestLampIsNoUserReadBack(t *testing.T) {
	rd := &rounds{s: &session{now: time.Now}}
	c := directory.Change{UserID: "usr_a", AccountID: "a", Effect: directory.EffectUpdate, State: directory.ChangeApplied, At: time.Now()}
	lamp := c
	lamp.UserID, lamp.AccountID, lamp.Object = "", "bulb-l000", lampRef(0)
	list := rd.unreported(&round{}, []directory.Change{lamp, c}, time.Time{})
	if len(list) != 1 || list[0].user != c.UserID {
		t.Errorf("unreported: %+v", list)
	}
}

// TestLampIsInNoCircleOfRenames: a name of another kind is no address.
func TestLampIsInNoCircleOfRenames(t *testing.T) {
	rename := func(from, to string) directory.Change {
		return directory.Change{Effect: directory.EffectRename, State: directory.ChangePlanned, Properties: []directory.PropertyChange{{
			Name: directory.PropUserPrincipalName, Before: directory.StringValue(from), After: directory.StringValue(to)}}}
	}
	lamp := rename("b@corp.example", "a@corp.example")
	lamp.Object = lampRef(0)
	all := []directory.Change{rename("a@corp.example", "b@corp.example"), lamp}
	results := map[int]store.Result{0: {State: directory.ChangeFailed, Error: &directory.Problem{Code: directory.CodeUserPrincipalNameTaken}}}
	explainSwaps(all, results)
	if code := results[0].Error.Code; code != directory.CodeUserPrincipalNameTaken {
		t.Errorf("the problem is %s", code)
	}
}

// TestLampIsNoUserInWords: what is said of a lamp's change does not speak of a user.
func TestLampIsNoUserInWords(t *testing.T) {
	b := &batch{s: &session{}, k: &chunk{t: &task{run: &store.RunRecord{}}}}
	edited := &directory.Binding{Wanted: 2}
	for want, c := range map[string]*directory.Change{
		"The user was edited after this change was planned.": {UserID: "usr_a"},
		"The lamp was edited after this change was planned.": {Object: lampRef(0)},
	} {
		if p := b.movedOn(c, edited); p == nil || p.Message != want {
			t.Errorf("said: %+v, want %q", p, want)
		}
	}
}
