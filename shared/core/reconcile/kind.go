package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"bindery/shared/core/plan"
	"bindery/shared/core/protect"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Kind is a kind of objects that the engine keeps in step: accounts, and whatever
// Config.Kinds has besides.
type Kind interface {
	// Name is what the Refs of its objects name, without "#", ":" and "/", which part
	// names in the table.
	Name() directory.Kind
	// Open returns what works on the objects of a connection, for as long as the
	// connection's record is as it is.
	Open(s Slice, tenant Tenant) Objects
}

// Objects is a kind at work on a connection. The engine calls it from one
// goroutine. Where it reads from the tenant it does so by Work.Read, so that the
// lease stays fresh and leavers do not wait. In a Batch they are not served from the
// sending to the journal.
type Objects interface {
	// Decide reads objects directly and decides about each. Whatever it does not
	// answer stays marked.
	Decide(ctx context.Context, w Work, refs []directory.Ref) (Decided, error)
	// Explain decides about one bound object as Decide does, for a person. It
	// records nothing. ErrBusy when it is not bound any more.
	Explain(ctx context.Context, w Work, ref directory.Ref) (Explained, error)
	// Undo plans the inverse of applied changes of a run, as far as the objects are
	// as these left them. Its changes are without IDs and states.
	Undo(ctx context.Context, w Work, changes []directory.Change) (plan.Undone, error)
	// Drifted says what becomes of changes whose objects are not any more as these
	// found them; what is as it was is not in the answer. An admin has seen the
	// changes, or they have waited. places are those to look at among all of a
	// chunk, and the answer is by place; a Verdict without a State is no answer.
	Drifted(ctx context.Context, w Work, all []directory.Change, places []int) (map[int]Verdict, error)
	// Names are the unique name that a change gives up and the one that it takes:
	// of those in one chunk the one that gives goes first. Both are empty, or the
	// same, when it changes none.
	Names(c *directory.Change) (gives, takes string)
	// Batch returns what sends changes of the kind together.
	Batch(w Work) Batch
	// ReadBack compares objects with the applied changes that wrote to them.
	ReadBack(ctx context.Context, w Work, changes []*directory.Change) ([]plan.ReadBack, error)
	// Taken is what is wrong when an object of the tenant belongs to another one of
	// ours.
	Taken(by directory.Ref) *directory.Problem
}

// Batch is what a kind does with the changes of a flight on their way, none of the
// same object. Its methods are called in this order: those up to Write once, with all
// changes, and those from Sort on as the answers of the flight's requests come, with
// the changes that they are about. Records and Confirm are called while the flight
// before may still be on its way; it touches none of these objects.
type Batch interface {
	// Records reads the bindings of objects; who has none is not in the answer.
	Records(ctx context.Context, refs []directory.Ref) (map[directory.Ref]*directory.Binding, error)
	// Confirm looks at changes right before they are sent: send it, or what became
	// of it. The binding of each is there and asks for it, but of an adoption that
	// takes a release back, which has none. One that must not be sent twice
	// (EffectRow.Once) comes again when Find sees nothing of it: whether it has
	// taken effect is to be looked at here each time.
	Confirm(ctx context.Context, changes []*directory.Change) ([]Verdict, error)
	// Intend makes durable what must be before the changes are sent.
	Intend(ctx context.Context, changes []*directory.Change) error
	// Write is the request of a change.
	Write(c *directory.Change) protect.Write
	// Sort says what an answer means that is no success and asks for no other try.
	// The zero Verdict leaves it to the engine: as a rule the change has failed.
	// A refusal of an authorization that only its kind needs is claimed here: what
	// is left to the engine of those, and is in no doubt, is the connection's loss.
	Sort(c *directory.Change, out directory.Outcome) Verdict
	// Find finds out what became of changes of which the answers do not tell. The
	// zero Verdict has one sent again: it has not taken effect. On an error all of
	// them are looked for again.
	Find(ctx context.Context, list []Unanswered) ([]Verdict, error)
	// Clarify tells more of the problems among results: who stands in the way. all
	// are the changes of the chunk, by whose places the results go.
	Clarify(ctx context.Context, all []directory.Change, results map[int]store.Result)
	// Consequence is what a result means for the record of its object.
	Consequence(f *Fate) Consequence
	// Journalled does what follows from results that are durable.
	Journalled(ctx context.Context, all []directory.Change, results map[int]store.Result) error
}

// Combiner is a Batch of which several changes go in one request of the tenant.
type Combiner interface {
	// Combine says which of changes that are to be sent go in one request, by their
	// places, and which alone. What is in none of them goes with a later flight. Those
	// of one request are written in one call, in which the tenant puts them together;
	// its answer is asked about (Sort, Find) for each of them. It is called once for each
	// chunk that a flight has changes of; of the first of them it leaves some to be sent.
	Combine(changes []*directory.Change) [][]int
	// Weigh is how many writes the tenant's quota counts for a request of n changes of an
	// effect.
	Weigh(e directory.Effect, n int) int
	// InTurn reports whether those changes of an effect that go together are done one after
	// the other, where the refusal of one keeps all behind it back. Nothing else goes with
	// them then.
	InTurn(e directory.Effect) bool
}

// Bundler is Objects with a Combiner as their Batch: it says what is worth picking for a
// flight, so that requests are as full as they may be.
type Bundler interface {
	// Bundle is what those changes have in common that may go in one request, and how
	// many of them may. A flight has one request of a bundle at most.
	Bundle(c *directory.Change) (bundle string, most int)
}

// Recaller is a Batch that is told what did not reach the tenant after all, or was turned
// away unread: that certainly did not take effect, and is sent again.
type Recaller interface {
	Recall(changes []*directory.Change)
}

// Rounds are Objects of which the tenant tells what has changed. They are read with
// each round of accounts, from a link of their own.
type Rounds interface {
	// Round reads one page from a link, by Work.Read; "" is the start. The errors are
	// those of Reader.Delta.
	Round(ctx context.Context, w Work, link string) (RoundPage, error)
	// Begins reports whether a connection of which no round has been read has something
	// that one is of. It is asked when the tenant is read under the lease.
	Begins(ctx context.Context, w Work) (bool, error)
}

// RoundPage is one page of a round.
type RoundPage struct {
	// Marks are our objects that are to be compared, by a direct read.
	Marks []directory.Ref
	// IDs name what the page shows, to find out that pages repeat.
	IDs []directory.AccountID
	// Next leads to the next page, DeltaLink to the next round; one of them is there.
	Next, DeltaLink string
}

// Onlooker are Objects about what accounts have besides what is kept of them as accounts.
// Rounds of accounts show them that too, so that they need none of their own.
type Onlooker interface {
	// Selects are Graph's names of what rounds are to show besides; none: nothing.
	Selects() []string
	// Shown says what is to be looked at because of accounts that a round showed: now, or
	// later, when the page may be older than our last write.
	Shown(ctx context.Context, accounts []directory.Account, owners map[directory.AccountID]directory.UserID) (now, later []directory.Ref, err error)
}

// Expander are Objects whose records are made of what users and settings say.
type Expander interface {
	// Expand makes the records that are missing, each with its mark in one transaction,
	// a page at a time from a cursor, "" at the start and the end. It is called under
	// the lease after each full round, and once the settings have changed.
	Expand(ctx context.Context, w Work, cursor string) (next string, err error)
}

// Decided is what was decided about some objects.
type Decided struct {
	Changes []directory.Change // in their order; those that are refused are only journalled
	// Unwritten is what needs no write to the tenant.
	Unwritten []store.BindingChange
	Refused   int // objects for which nothing can be written
	// Again has the connection looked at again after that time; 0: it need not be.
	Again time.Duration
	// Looked are the bindings that were looked at: who is on the way to another
	// connection has that one woken.
	Looked []*directory.Binding
	// Editors are the subjects whose edits the changes come from, also who bound the
	// object, let it go or resumed it: with four eyes none of them approves the run.
	// Empty ones are passed over.
	Editors []string
}

// Explained is a decision for a person.
type Explained struct {
	plan.Trace
	Changes  []directory.Change
	Problem  *directory.Problem
	Findings []directory.Problem
}

// Verdict says what becomes of a change.
type Verdict struct {
	// State is what it has come to; empty: it goes out, or goes out again.
	State   directory.ChangeState
	Problem *directory.Problem
	// Object is the tenant's object that an applied change turned out to have made.
	Object directory.AccountID
	// Unsure is why it is not known now whether it may go out: it is tried again,
	// so often and no more.
	Unsure *directory.Outcome
	// Wait is after which time it goes out again.
	Wait time.Duration
	// Later has it planned again after that time: it needs another object that is not
	// there so far. It becomes outdated with Problem, which says what it waits for and
	// stands on the record meanwhile; that is no failure. See Config.Dependents for
	// what looks at it sooner.
	Later time.Duration
	// Alone has a change sent by itself that was refused in a request of several
	// (directory.Write.Alone). Once is enough: then the answer is about it.
	Alone bool
	// Find has Batch.Find look what became of it; of one that was looked for,
	// Hidden says that nothing is to be seen of it so far.
	Find, Hidden bool
}

// Unanswered is a change of which the answer does not tell whether it took effect.
type Unanswered struct {
	Change  *directory.Change
	Outcome directory.Outcome
}

// Fate is what became of a change, with what became of the others of its object.
type Fate struct {
	Change *directory.Change
	Result store.Result
	// Outcome is the tenant's answer; nil: it was not sent.
	Outcome *directory.Outcome
	Run     *store.RunRecord
	Now     time.Time
	// Applied says that it has taken effect, or needed none; Gained that the object
	// got its counterpart in the tenant by it, Claim.
	Applied, Gained bool
	Claim           directory.AccountID
	// Last says that no change of the object is left to send in the chunk.
	Last     bool
	Failure  *directory.Problem // the first of the object's changes
	Failures []Failure          // all of them
	// Moved says that one of them was outdated; Declined are the effects of those
	// that an admin declined.
	Moved    bool
	Declined []directory.Effect
	Findings []directory.Problem
}

// Failure is a failed change and why.
type Failure struct {
	Change  *directory.Change
	Problem *directory.Problem
}

// Well reports whether all changes of the object have gone well.
func (f *Fate) Well() bool { return f.Last && f.Failure == nil }

// Consequence is what the fate of a change means for the binding of its object,
// beyond what holds for all kinds. The functions may be nil. They may be called
// more than once, and change nothing but the binding.
type Consequence struct {
	// Later has the object looked at again after that time; 0: it need not be.
	Later time.Duration
	// Status is what the failure makes of the binding.
	Status directory.BindingStatus
	// Written notes what was written, or refused. Agreed notes that all is as it
	// was planned.
	Written, Agreed func(b *directory.Binding)
	// Deleted is the object that the change has deleted, when it is to be found again
	// (store.BindingChange).
	Deleted directory.AccountID
}

// Slice is what a kind may know of the slice that it works in.
type Slice struct{ s *session }

// Connection is the connection that is worked on.
func (s Slice) Connection() *directory.Connection { return &s.s.conn }

// Epoch is the connection's epoch that the work is for.
func (s Slice) Epoch() int64 { return s.s.lease.Epoch }

// Lease is what writes of the table are checked against.
func (s Slice) Lease() *store.Lease { return &s.s.lease }

// Now is the time.
func (s Slice) Now() time.Time { return s.s.now() }

// Protected says whether an account must not be written to, and why, as far as it has
// been read; it has been when something is decided or sent.
func (s Slice) Protected(id directory.AccountID, userPrincipalName string) (reason string, yes bool) {
	return s.s.shield.now().Of(id, userPrincipalName)
}

// Shared is what kinds have in common for the slice, by name; nil: nothing so far.
func (s Slice) Shared(name string) any { return s.s.shared[name] }

// Share has kinds have something in common for the slice.
func (s Slice) Share(name string, what any) {
	if s.s.shared == nil {
		s.s.shared = map[string]any{}
	}
	s.s.shared[name] = what
}

// Log is where to log.
func (s Slice) Log() *slog.Logger { return s.s.log }

// Work is the work on a run, of a slice.
type Work struct {
	Slice
	Run  *store.RunRecord // a copy: what is set in it is lost
	lane lane             // past what may be interrupted of it
}

func (s *session) work(r *store.RunRecord, l lane) Work {
	run := *r
	return Work{Slice{s}, &run, l}
}

func (s *session) workOn(t *task) Work { return s.work(t.run, t.lane) }

// Read asks the tenant something that costs so many units of its quota for
// reading. The request ends before the lease does; leavers are served meanwhile,
// if that may be. An error of ask is returned as it is. ask has ended when Read
// returns, also where what was done meanwhile ended the waiting.
func (w Work) Read(ctx context.Context, units int, ask func(ctx context.Context) error) error {
	if err := w.lane.attend(ctx); err != nil {
		return err
	}
	if err := w.s.units(ctx, w.lane, units); err != nil {
		return err
	}
	ended := make(chan struct{})
	_, err := awaited(ctx, w.s, w.lane, func(ctx context.Context) (struct{}, error) {
		defer close(ended)
		return struct{}{}, ask(ctx)
	})
	<-ended // its context is over by now
	return err
}

// Stamp completes a change that a binding asks for, as planned at a time.
func Stamp(c *directory.Change, b *directory.Binding, now time.Time) {
	c.At, c.State = now, directory.ChangePlanned
	c.UserVersion, c.Agreed, c.Release = b.Wanted, b.Agreed, b.Release
	if c.Properties == nil {
		c.Properties = []directory.PropertyChange{}
	}
}

// checkKinds panics on kinds that the table could not tell apart: they are a mistake
// of whoever put the program together.
func checkKinds(list []Kind) {
	names := map[directory.Kind]bool{directory.KindAccount: true}
	for _, k := range list {
		name := k.Name()
		if names[name] || name == "" || strings.ContainsAny(string(name), "#:/") {
			panic(fmt.Sprintf("reconcile: a kind must not be named %q", name))
		}
		names[name] = true
	}
}

// kinds are all kinds at work on a connection.
type kinds struct {
	names   []directory.Kind // in the order in which they are gone through
	objects map[directory.Kind]Objects
}

func (k *kinds) add(name directory.Kind, o Objects) {
	if k.objects == nil {
		k.objects = map[directory.Kind]Objects{}
	}
	k.names, k.objects[name] = append(k.names, name), o
}

// of returns the objects of a kind; nil: it is known to a newer version only.
func (k *kinds) of(name directory.Kind) Objects { return k.objects[name] }

// after is the kind that comes after another one; "" after the last.
func (k *kinds) after(name directory.Kind) directory.Kind {
	if i := slices.Index(k.names, name); i >= 0 && i+1 < len(k.names) {
		return k.names[i+1]
	}
	return ""
}

// byKind parts a list by the kinds of its elements, in the order in which these
// occur.
func byKind[T any](list []T, ref func(*T) directory.Ref) (names []directory.Kind, parts map[directory.Kind][]T) {
	parts = map[directory.Kind][]T{}
	for i := range list {
		name := ref(&list[i]).Kind
		if _, begun := parts[name]; !begun {
			names = append(names, name)
		}
		parts[name] = append(parts[name], list[i])
	}
	return names, parts
}
