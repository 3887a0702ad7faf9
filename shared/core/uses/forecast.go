package uses

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"bindery/shared/core/assign"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Forecast is what is likely to follow from a use of a group, before anything has. It is
// an estimate of our own records: nobody's account is read for it. What will be written, a
// dry run shows.
type Forecast struct {
	Users int `json:"users" doc:"Users in the group, however deep, who were looked at"`
	// Complete is false when there are more: all numbers are too small then.
	Complete       bool              `json:"complete" doc:"Everybody was looked at. false: the group has more users than one call looks at, and all numbers are too small"`
	Bound          int               `json:"bound" doc:"Who would be bound"`
	NotBindable    int               `json:"notBindable,omitempty" doc:"Who cannot be: deleted, staged, or bound through another connection"`
	Released       int               `json:"released,omitempty" doc:"At most: who would be let go, unless something else binds them"`
	MembersAdded   int               `json:"membersAdded,omitempty" doc:"Memberships of the tenant's group that would be added; those that others gave already are among them"`
	MembersRemoved int               `json:"membersRemoved,omitempty" doc:"Memberships that we gave and would take back"`
	Licences       []ForecastLicence `json:"licences,omitempty"`
	TenantGroup    string            `json:"tenantGroup,omitempty" doc:"What becomes of the tenant's group, a sentence"`
	Writes         int               `json:"writes" doc:"Writes to Microsoft, as it counts them"`
	Seconds        int               `json:"seconds" doc:"How long they take at least, by Microsoft's quota (3,000 at once, then 20 a second); licences go one at a time, about one a second"`
	Notes          []string          `json:"notes,omitempty" doc:"What could not be found out, and what the numbers do not tell"`
	DryRun         directory.Step    `json:"dryRun" doc:"How to see every write"`
}

// ForecastLicence is what a rule needs of seats.
type ForecastLicence struct {
	SKU     string `json:"sku" doc:"As the rule has it"`
	Name    string `json:"name"`
	Needed  int    `json:"needed" doc:"Seats for those who have no licence of the product from us"`
	Free    *int   `json:"free,omitempty" doc:"As Microsoft says now; without it, it could not be asked"`
	Missing int    `json:"missing,omitempty" doc:"How many would wait for a seat"`
}

// mostForecast is how many users a forecast looks at: an API call must end within 30 s.
const mostForecast = 2000

// Quota of a tenant (GG 1), as far as a forecast tells of it.
const (
	writesAtOnce    = 3000
	writesPerSecond = 20
	membersTogether = 20 // in one request
)

// forecastGroups is what a forecast reads of groups.
type forecastGroups interface {
	Nested(ctx context.Context, id directory.GroupID, closed func(directory.GroupID) bool) (open, kept []directory.GroupID, err error)
	NestedUsers(ctx context.Context, groups []directory.GroupID, after directory.UserID) iter.Seq2[directory.UserID, error]
}

// forecasting is a forecast on its way.
type forecasting struct {
	s     *Service
	conn  *directory.Connection
	old   *directory.GroupUse // nil: there was none
	rules directory.UseRules
	skus  []directory.LicenceSKU
	out   Forecast
	had   map[directory.UserID]store.UsePart
}

// Forecast says what is likely to follow when a connection does with a group what the
// rules say. Nothing is changed. Errors as those of Put.
func (s *Service) Forecast(ctx context.Context, id directory.ConnectionID, g directory.GroupID, rules directory.UseRules) (Forecast, error) {
	c, err := assign.Working(ctx, s.connections, id)
	if err != nil {
		return Forecast{}, err
	}
	f := &forecasting{s: s, conn: &c, rules: rules.Defaulted(), had: map[directory.UserID]store.UsePart{}, out: Forecast{Complete: true}}
	f.out.DryRun = directory.Step{Text: "Plan everything, without writing: the run's changes show every write that is still to be made.",
		Call: "POST /v1/connections/{connectionId}/runs {\"dryRun\":true,\"full\":true}"}
	old, err := s.uses.Use(ctx, &c, g)
	switch {
	case err == nil:
		f.old = &old
	case !errors.Is(err, directory.ErrNotFound):
		return Forecast{}, err
	}
	if err := f.former(ctx); err != nil {
		return Forecast{}, err
	}
	if err := f.members(ctx, g); err != nil {
		return Forecast{}, err
	}
	f.group()
	f.products(ctx)
	f.price()
	return f.out, nil
}

func (f *forecasting) note(format string, args ...any) {
	f.out.Notes = append(f.out.Notes, fmt.Sprintf(format, args...))
}

// former reads for whom what has followed of the use so far.
func (f *forecasting) former(ctx context.Context) error {
	if f.old == nil {
		return nil
	}
	var after directory.MemberRef
	for looked := 0; ; {
		list, next, err := f.s.uses.UseMembers(ctx, f.old, after, mostForecast-looked)
		if err != nil {
			return err
		}
		looked += len(list)
		for _, m := range list {
			if u := m.Member.User(); u != "" {
				f.had[u] = m.Parts
			}
		}
		if next == (directory.MemberRef{}) {
			return nil
		}
		if looked >= mostForecast {
			f.out.Complete = false
			return nil
		}
		after = next
	}
}

// members counts what follows for the users in the group, and for those who were.
func (f *forecasting) members(ctx context.Context, g directory.GroupID) error {
	groups, _, err := f.s.nesting.Nested(ctx, g, nil)
	if err != nil {
		return err
	}
	in := map[directory.UserID]bool{}
	var part []directory.UserID
	for u, err := range f.s.nesting.NestedUsers(ctx, groups, "") {
		if err != nil {
			return err
		}
		if len(in) == mostForecast {
			f.out.Complete = false
			break
		}
		in[u] = true
		if part = append(part, u); len(part) == 100 {
			if err := f.users(ctx, part); err != nil {
				return err
			}
			part = nil
		}
	}
	if err := f.users(ctx, part); err != nil {
		return err
	}
	f.out.Users = len(in)
	for u, parts := range f.had {
		f.left(parts, in[u])
	}
	if !f.out.Complete {
		f.note("The group has more than %d users; the numbers are of the first %d.", mostForecast, len(in))
	}
	return nil
}

// left counts what ends for somebody for whom something had followed.
func (f *forecasting) left(parts store.UsePart, in bool) {
	if parts.Has(store.UseSelected) && (f.rules.Select == nil || !in && f.out.Complete) {
		f.out.Released++
	}
	var then directory.ExportRelease
	if e := f.old.Defaulted().Export; e != nil && f.rules.Export == nil {
		then = e.OnRelease
	}
	ends := then == directory.ExportEmpty || then == directory.ExportRestore
	if parts.Has(store.UseExported) && (ends || f.rules.Export != nil && !in && f.out.Complete) {
		f.out.MembersRemoved++
	}
}

// users counts what follows for some users.
func (f *forecasting) users(ctx context.Context, ids []directory.UserID) error {
	if len(ids) == 0 {
		return nil
	}
	found, err := f.s.bindings.Subjects(ctx, ids)
	if err != nil {
		return err
	}
	var licensed []directory.Ref
	for _, id := range ids {
		row := found[id]
		here, elsewhere := false, false
		if b := row.Binding; b != nil {
			here = b.ConnectionID == f.conn.ID && b.Epoch == f.conn.Epoch
			elsewhere = b.ConnectionID != f.conn.ID
		}
		able := row.User != nil && row.User.Deleted == nil && row.User.State != directory.StateStaged && !elsewhere
		switch {
		case f.rules.Select == nil || here:
		case able:
			f.out.Bound++
		default:
			f.out.NotBindable++
		}
		if !here && !(able && f.rules.Select != nil) {
			continue // without an account there is neither a membership nor a licence
		}
		if f.rules.Export != nil && !f.had[id].Has(store.UseExported) {
			f.out.MembersAdded++
		}
		licensed = append(licensed, directory.LicenceOf(id))
	}
	return f.licensed(ctx, licensed)
}

// licensed counts the seats that rules need for some users.
func (f *forecasting) licensed(ctx context.Context, refs []directory.Ref) error {
	if len(f.rules.Licences) == 0 || len(refs) == 0 {
		return nil
	}
	records, err := f.s.bindings.BindingsOf(ctx, f.conn.ID, refs)
	if err != nil {
		return err
	}
	f.ask(ctx)
	for i := range f.rules.Licences {
		if len(f.out.Licences) == i {
			f.out.Licences = append(f.out.Licences, ForecastLicence{SKU: f.rules.Licences[i].SKU})
		}
		sku := f.product(f.rules.Licences[i].SKU)
		for _, ref := range refs {
			b := records[ref]
			if sku == nil || b.Epoch != f.conn.Epoch || b.Base[directory.LicenceProperty(sku.ID)].IsNull() {
				f.out.Licences[i].Needed++
			}
		}
	}
	return nil
}

// ask asks Microsoft for the tenant's products, once.
func (f *forecasting) ask(ctx context.Context) {
	if f.skus != nil || f.s.products == nil {
		return
	}
	skus, err := f.s.products(ctx, f.conn)
	if err != nil {
		f.note("How many seats are free could not be asked now.")
		f.s.log.Info("a forecast without seats", "connectionId", f.conn.ID, "error", err)
	}
	f.skus = append([]directory.LicenceSKU{}, skus...) // never nil from now on
}

// product is the product that a rule names; nil: it is not known.
func (f *forecasting) product(name string) *directory.LicenceSKU {
	for i := range f.skus {
		if s := &f.skus[i]; strings.EqualFold(string(s.ID), name) || strings.EqualFold(s.PartNumber, name) {
			return s
		}
	}
	return nil
}

// products adds what the tenant has of seats.
func (f *forecasting) products(ctx context.Context) {
	if len(f.rules.Licences) > 0 {
		f.ask(ctx)
	}
	for i, r := range f.rules.Licences {
		if len(f.out.Licences) == i {
			f.out.Licences = append(f.out.Licences, ForecastLicence{SKU: r.SKU})
		}
		l := &f.out.Licences[i]
		l.Name = directory.ProductName(r.SKU)
		s := f.product(r.SKU)
		switch {
		case s != nil:
			l.Name = directory.ProductName(s.PartNumber)
			free := s.Free()
			l.Free, l.Missing = &free, max(0, l.Needed-free)
			if !s.Assignable() {
				f.note("%s cannot be given to accounts now; Microsoft says %s.", l.Name, s.Status)
			}
		case len(f.skus) > 0:
			f.note("The tenant has no product %s.", r.SKU)
		}
	}
	if len(f.rules.Licences) > 0 {
		f.note("Who has a product from others, or by a group, needs no seat: that is found out account by account, in the run.")
	}
}

// group says what becomes of the tenant's group.
func (f *forecasting) group() {
	e := f.rules.Export
	switch had := f.old != nil && f.old.Export != nil; {
	case e == nil && had:
		f.out.TenantGroup = map[directory.ExportRelease]string{
			directory.ExportKeep: "The tenant's group is kept as it is, and is no longer ours.", directory.ExportEmpty: "The members that we gave it are taken out of the tenant's group, which is then no longer ours.",
			directory.ExportRestore: "The members that we gave it are taken out of the tenant's group, whom we took out are put back, and it is called again what it was before it was taken over.",
			directory.ExportDelete:  "The tenant's group is deleted, if we made it; Microsoft keeps it for 30 days.",
		}[f.old.Defaulted().Export.OnRelease]
	case e == nil:
	case had:
		f.out.TenantGroup = "The tenant's group stays the one that it is."
	case e.Adopt != "":
		f.out.TenantGroup = "The tenant's group " + string(e.Adopt) + " is taken over."
	default:
		f.out.TenantGroup = "A group is made in the tenant."
	}
	if e != nil && e.Members == directory.MembersExact {
		f.note("Members whom others added are removed as well (members exact); how many, only the tenant's group tells: the dry run counts them, and the guard.")
	}
}

// price says what the tenant counts of writes, and how long they take.
func (f *forecasting) price() {
	licences := 0
	for _, l := range f.out.Licences {
		licences += l.Needed - l.Missing
	}
	members := f.out.MembersAdded/membersTogether*directory.MemberWrites(membersTogether) + directory.MemberWrites(f.out.MembersAdded%membersTogether)
	f.out.Writes = f.out.Bound + members + f.out.MembersRemoved + licences
	if f.out.Bound > 0 {
		f.note("An account that is there already and is as the directory wants it takes no write when it is bound.")
	}
	if f.rules.Export != nil && (f.old == nil || f.old.Export == nil) {
		f.out.Writes++
	}
	f.out.Seconds = max(0, f.out.Writes-writesAtOnce)/writesPerSecond + licences
}

// mayAdopt refuses to take over a group of the tenant that is known to be none for it:
// whoever asks is told at once, and not by the next run. What cannot be found out now is
// left to that. name is what people call the group.
func (s *Service) mayAdopt(ctx context.Context, c *directory.Connection, g directory.GroupID, e *directory.ExportRule) (name string, err error) {
	if e == nil || e.Adopt == "" || s.candidates == nil {
		return "", nil
	}
	tenant, err := s.candidates.Tenant(ctx, c)
	if err != nil {
		s.log.Info("a group that is to be adopted was not looked at", "connectionId", c.ID, "error", err)
		return "", nil
	}
	found, err := tenant.Groups(ctx, []directory.TenantGroupID{directory.TenantGroupID(e.Adopt)})
	if err == nil {
		err = found[0].Err()
	}
	if err != nil {
		s.log.Info("a group that is to be adopted could not be read", "connectionId", c.ID, "error", err)
		return "", nil
	}
	refuse := func(code, detail, next string) (string, error) {
		return "", directory.Refuse(directory.ErrConflict, code, detail+" Nothing was changed.", next)
	}
	group := found[0].Value
	if group == nil {
		return refuse(directory.CodeTenantGroupNotFound, fmt.Sprintf("There is no group %s in the tenant.", e.Adopt), "GET …/tenant-groups lists those that there are.")
	}
	judged, err := s.candidates.Judge(ctx, c, []directory.TenantGroup{*group})
	if err != nil {
		return "", err
	}
	switch j := &judged[0]; {
	case j.Verdict == assign.GroupOurs && j.GroupID != g:
		return refuse(directory.CodeGroupTaken, fmt.Sprintf("The tenant's group \"%s\" is the export of the group \"%s\" already.", j.DisplayName, j.GroupName), "Name another group of the tenant.")
	case j.Reason != "":
		p := group.ReadOnly()
		return refuse(p.Code, fmt.Sprintf("The tenant's group \"%s\" cannot be taken over: %s", j.DisplayName, p.Message), p.Next)
	case string(group.Kind()) != string(e.Kind):
		return refuse(directory.CodeGroupOtherKind, fmt.Sprintf("The tenant's group \"%s\" is of the kind %s, and the group is to be exported as %s.", j.DisplayName, group.Kind(), e.Kind),
			fmt.Sprintf("Export the group as %s, or name another group of the tenant.", group.Kind()))
	}
	return judged[0].DisplayName, nil
}
