package store

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// acting is an act under way. The first write of the store that concerns it
// stores it in its own transaction: what was done and that it was done stand in
// the table together, or neither.
type acting struct {
	mu   sync.Mutex
	act  directory.Act
	hook string // whose transaction stores it
}

type actingKey struct{}

// Acting returns a context in which the next write that an admin's act can be
// (a connection, a binding, a job, a run, a user) records the act beside it. The
// store fills in ID, time and what was written. An act without a kind ends it.
func Acting(ctx context.Context, act directory.Act) context.Context {
	return context.WithValue(ctx, actingKey{}, &acting{act: act})
}

// subject is what a write says of the act that it is.
type subject struct {
	connection directory.ConnectionID
	run        directory.RunID
	job        directory.JobID
	users      []directory.UserID
	account    directory.AccountID
	properties []directory.PropertyChange
	detail     string
}

// actWrites returns the writes that record the act of ctx; none when there is
// no act, or when another hook's transaction records it. A hook that repeats its
// transaction records the act anew, under a new ID: only one of them is written.
func (s *Store) actWrites(ctx context.Context, hook string, sub subject) []table.Write {
	a, _ := ctx.Value(actingKey{}).(*acting)
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.act.Kind == "" || a.hook != "" && a.hook != hook {
		return nil
	}
	a.hook = hook
	act := a.act
	act.ConnectionID, act.RunID, act.JobID = orID(act.ConnectionID, sub.connection), orID(act.RunID, sub.run), orID(act.JobID, sub.job)
	act.AccountID, act.Detail = orID(act.AccountID, sub.account), orID(act.Detail, sub.detail)
	act.UserIDs = append(slices.Clone(act.UserIDs), sub.users...)
	act.Properties = append(slices.Clone(act.Properties), sub.properties...)
	return s.putAct(&act)
}

func orID[T ~string](a, b T) T {
	if a != "" {
		return a
	}
	return b
}

// RecordAct stores an act that no write of the store goes with.
func (s *Store) RecordAct(ctx context.Context, act directory.Act) error {
	return fail("record act", s.Table.Write(ctx, s.putAct(&act)...))
}

// maxActBytes bounds the values that an act keeps: settings may be long.
const maxActBytes = 200 << 10

func (s *Store) putAct(act *directory.Act) []table.Write {
	act.At = s.Now().UTC()
	act.ID = directory.NewActID(act.At)
	expires := act.At.Add(s.retention())
	body := encode(act)
	if len(body) > maxActBytes {
		for i := range act.Properties {
			act.Properties[i].Before, act.Properties[i].After = directory.StringValue("(too long)"), directory.StringValue("(too long)")
		}
		body = encode(act)
	}
	place := place(act.At, actRef+act.ID)
	item := table.Item{
		Key: actKey(act.At, act.ID), Index2: table.Key{Partition: activityPartition, Sort: place}, Body: body, Expires: expires,
	}
	if act.ConnectionID != "" {
		item.Index1 = table.Key{Partition: connectionActivity(act.ConnectionID), Sort: place}
	}
	writes := []table.Write{{Put: &item}}
	return append(writes, userHints(act.UserIDs, place, expires)...)
}

func actKey(at time.Time, id string) table.Key {
	return table.Key{Partition: actsPartition(at.Unix() / 3600), Sort: place(at, actRef+id)}
}

func actsPartition(hour int64) string { return fmt.Sprintf("ACTS#%08d", hour) }

// ActRecord is an act as it stands in the table.
type ActRecord struct {
	directory.Act
	Expires time.Time
	// Misplaced says that it does not stand in the listings where it belongs.
	Misplaced bool

	item table.Item
}

// ActState says whether an act is as it was written.
func (s *Store) ActState(ctx context.Context, a *ActRecord) (SealState, error) {
	return s.itemState(ctx, &a.item)
}

// Acts reads the acts of an hour (since 1970) in the order of their places,
// strongly consistent. Those that have expired are among them.
func (s *Store) Acts(ctx context.Context, hour int64) ([]ActRecord, error) {
	var list []ActRecord
	cursor := ""
	for {
		page, err := s.Table.Query(ctx, table.Query{Partition: actsPartition(hour), Cursor: cursor})
		if err != nil {
			return nil, fail("acts", err)
		}
		for _, it := range page.Items {
			a := ActRecord{Expires: it.Expires, item: it}
			if err := decode(it, &a.Act); err != nil {
				return nil, err
			}
			want := place(a.At, actRef+a.ID)
			a.Misplaced = it.Sort != want || it.Index2 != table.Key{Partition: activityPartition, Sort: want} ||
				a.ConnectionID != "" && it.Index1 != table.Key{Partition: connectionActivity(a.ConnectionID), Sort: want}
			list = append(list, a)
		}
		if cursor = page.Next; cursor == "" {
			return list, nil
		}
	}
}

// settingsChanges lists what of a connection an edit changed, setting by setting.
func settingsChanges(old, next *directory.Connection) []directory.PropertyChange {
	var list []directory.PropertyChange
	add := func(name, before, after string) {
		if before != after {
			list = append(list, directory.PropertyChange{Name: name, Before: textOrNull(before), After: textOrNull(after)})
		}
	}
	add("name", old.Name, next.Name)
	add("status", string(old.Status), string(next.Status))
	add("authorizedBy", adminText(old.Tenant, old.AuthorizedBy), adminText(next.Tenant, next.AuthorizedBy))
	a, b := reflect.ValueOf(old.Settings), reflect.ValueOf(next.Settings)
	for i := range a.NumField() {
		name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
		add("settings."+name, settingText(a.Field(i)), settingText(b.Field(i)))
	}
	return list
}

// adminText names an account as a confirmation does, with its name for people.
func adminText(t *directory.Tenant, a *directory.Administrator) string {
	if t == nil || a == nil {
		return ""
	}
	return fmt.Sprintf("%s (%s) of the tenant %s", a.UserPrincipalName, a.ObjectID, t.ID)
}

// safetyDetail says what an edit of a connection loosened, what it proposes to
// loosen, and which proposal it decided about.
func safetyDetail(old, next *directory.Connection) string {
	var parts []string
	for _, p := range old.Proposals {
		if !slices.ContainsFunc(next.Proposals, func(q directory.Proposal) bool { return q.ID == p.ID }) {
			parts = append(parts, fmt.Sprintf("Of the proposal of %s, made at %s: %s.", p.By, p.At.UTC().Format(time.RFC3339), proposed(&p)))
		}
	}
	for _, p := range next.Proposals {
		if !slices.ContainsFunc(old.Proposals, func(q directory.Proposal) bool { return q.ID == p.ID }) {
			parts = append(parts, fmt.Sprintf("Proposed, and done only when somebody else approves it: %s.", proposed(&p)))
		}
	}
	if keys := directory.SafetyOf(old.Settings, next.Settings).Loosened; len(keys) > 0 {
		parts = append(parts, "Loosens "+strings.Join(keys, ", ")+".")
	}
	return strings.Join(parts, " ")
}

func proposed(p *directory.Proposal) string {
	if p.Lift != nil {
		return fmt.Sprintf("to lift the protection of the account %s for %d minutes", p.Lift.AccountID, p.Lift.Minutes)
	}
	return "to loosen " + strings.Join(p.Loosens, ", ")
}

func settingText(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	return string(encode(v.Interface()))
}

func textOrNull(s string) directory.Value {
	if s == "" {
		return directory.Value{}
	}
	return directory.StringValue(s)
}

func runSubject(r *directory.Run) subject {
	return subject{connection: r.ConnectionID, run: r.ID, detail: "The run is " + string(r.State) + "."}
}

func bindingSubject(b *directory.Binding) subject {
	sub := subject{connection: b.ConnectionID, users: []directory.UserID{b.UserID}}
	if b.Release != "" {
		sub.detail = "The account is to be let go by " + string(b.Release) + "."
	}
	if b.MoveTo != nil {
		sub.detail = strings.TrimSpace(sub.detail + " The user moves to the connection " + string(b.MoveTo.ConnectionID) + ".")
	}
	return sub
}

// endOfJob is the act of a job that has ended, with what came of it.
func endOfJob(j *JobRecord) directory.Act {
	act := directory.Act{Kind: j.Kind.EndKind(), By: j.By(), ConnectionID: j.ConnectionID, JobID: j.ID}
	parts := []string{fmt.Sprintf("refused %d", j.RefusedCount)}
	for _, name := range slices.Sorted(maps.Keys(j.Counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, j.Counts[name]))
	}
	act.Detail = "The job is " + string(j.State) + ": " + strings.Join(parts, ", ") + "."
	if j.Error != nil {
		act.Detail += " " + j.Error.Message
	}
	return act
}

func usersSubject(users ...*directory.User) subject {
	var sub subject
	for _, u := range users {
		sub.users = append(sub.users, u.ID)
	}
	return sub
}

// userChanges lists what of a user an edit changed, attribute by attribute.
func userChanges(old, next *directory.User) []directory.PropertyChange {
	var list []directory.PropertyChange
	a, b := reflect.ValueOf(old.Profile), reflect.ValueOf(next.Profile)
	for i := range a.NumField() {
		if before, after := attributeText(a.Field(i)), attributeText(b.Field(i)); before != after {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			list = append(list, directory.PropertyChange{Name: name, Before: textOrNull(before), After: textOrNull(after)})
		}
	}
	return list
}

func attributeText(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return v.String()
	}
	return settingText(v)
}
