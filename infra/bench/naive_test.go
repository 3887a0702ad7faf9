package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	khttp "github.com/microsoft/kiota-http-go"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

const (
	naiveUsers   = 10_000
	naiveChanged = naiveUsers / 100
)

// field is one property that the script compares.
type field struct {
	name string
	want func(u *directory.User) string
	get  func(u models.Userable) *string
	set  func(u models.Userable, v *string)
}

var fields = []field{
	{"displayName", func(u *directory.User) string { return u.DisplayName }, models.Userable.GetDisplayName, models.Userable.SetDisplayName},
	{"givenName", func(u *directory.User) string { return u.GivenName }, models.Userable.GetGivenName, models.Userable.SetGivenName},
	{"surname", func(u *directory.User) string { return u.FamilyName }, models.Userable.GetSurname, models.Userable.SetSurname},
	{"jobTitle", func(u *directory.User) string { return u.JobTitle }, models.Userable.GetJobTitle, models.Userable.SetJobTitle},
	{"department", func(u *directory.User) string { return u.Department }, models.Userable.GetDepartment, models.Userable.SetDepartment},
	{"mobilePhone", func(u *directory.User) string { return u.Phones.Mobile }, models.Userable.GetMobilePhone, models.Userable.SetMobilePhone},
	{"officeLocation", func(u *directory.User) string { return u.Location }, models.Userable.GetOfficeLocation, models.Userable.SetOfficeLocation},
	{"companyName", func(u *directory.User) string { return u.Company }, models.Userable.GetCompanyName, models.Userable.SetCompanyName},
	{"employeeId", func(u *directory.User) string { return u.EmployeeID }, models.Userable.GetEmployeeId, models.Userable.SetEmployeeId},
	{"city", func(u *directory.User) string { return u.WorkAddress.City }, models.Userable.GetCity, models.Userable.SetCity},
}

// naive compares Bindery with scripts: the loop that admins write with Microsoft's
// SDK, which reads each user, compares and changes one by one; and the best one,
// which lists once, compares, and sends batches, several in flight. All have the same
// people, of whom one in a hundred was given another job, and a simulated tenant of
// their own like the others'.
func naive(t *testing.T, r *report) {
	loop := naiveScript(t, func(w *world, people []directory.User) { w.script(w.sites[0], people) })
	script := naiveScript(t, func(w *world, people []directory.User) {
		w.synchronise(w.sites[0], wantedOf(w.T, w.sites[0], people), best)
	})
	var ours outcome
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, naiveUsers)
		defer w.cloud.stop()
		w.wakeUp(w.sites[0])
		w.cloud.rest() // the tenant has been read, as it is day by day
		time.Sleep(time.Hour)
		w.promoted()
		begun := time.Now()
		ours.used = w.measured(func() {
			w.wakeUp(w.sites[0])
			w.until("done", time.Hour, 10*time.Millisecond, func() bool { return w.loaded(w.sites[0]) })
			ours.took = time.Since(begun)
		})
		w.promotedAll()
	})
	compare := func(name, who string, theirs outcome) {
		what := func(a, b any) string {
			return fmt.Sprintf("10,000 users, 1 %% changed: %s's %v ÷ ours, %v", who, a, b)
		}
		r.add(name+"requests_ratio", float64(theirs.used.Requests)/float64(ours.used.Requests), "ratio", higher, what(theirs.used.Requests, ours.used.Requests))
		r.add(name+"items_ratio", float64(theirs.used.Items)/float64(ours.used.Items), "ratio", higher, what(theirs.used.Items, ours.used.Items))
		r.add(name+"units_ratio", theirs.used.Units/ours.used.Units, "ratio", higher, what(theirs.used.Units, ours.used.Units))
		r.add(name+"time_ratio", theirs.took.Seconds()/ours.took.Seconds(), "ratio", higher, what(theirs.took.Round(10*time.Millisecond), ours.took.Round(10*time.Millisecond)))
	}
	compare("naive.", "the loop", loop)
	compare("naive.best_", "the best script", script)
}

// naiveScript has a script do it.
func naiveScript(t *testing.T, do func(w *world, people []directory.User)) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, naiveUsers)
		defer w.cloud.stop()
		people := w.promoted()
		o.used = w.measured(func() {
			begun := time.Now()
			do(w, people)
			o.took = time.Since(begun)
		})
		w.promotedAll()
	})
	return o
}

// promoted gives one user in a hundred another job and returns all users as they
// are then.
func (w *world) promoted() []directory.User {
	w.Helper()
	people := make([]directory.User, 0, naiveUsers)
	for n, id := range w.sites[0].users {
		u, err := w.raw.Users.User(w.Context(), id)
		w.do(err)
		if n%(naiveUsers/naiveChanged) == 0 {
			next := u
			next.JobTitle = "Head of " + u.Department
			_, err = w.raw.Users.UpdateUser(w.Context(), directory.AuditEvent{}, &u, &next)
			w.do(err)
			u = next
		}
		people = append(people, u)
	}
	return people
}

// promotedAll fails the test unless each of them has the job in the tenant too.
func (w *world) promotedAll() {
	w.Helper()
	for n := 0; n < naiveUsers; n += naiveUsers / naiveChanged {
		a, _ := w.sim.Account(string(w.sites[0].conn.Tenant.ID), string(accountID(n)))
		u, err := w.raw.Users.User(w.Context(), w.sites[0].users[n])
		w.do(err)
		if a["jobTitle"] != u.JobTitle {
			w.Errorf("account %d has the job %q, want %q", n, a["jobTitle"], u.JobTitle)
		}
	}
}

// bearer attaches the site's token.
type bearer struct{ tokens *tokens }

// AuthenticateRequest implements the SDK's AuthenticationProvider.
func (b bearer) AuthenticateRequest(ctx context.Context, r *abs.RequestInformation, _ map[string]any) error {
	token, err := b.tokens.Token(ctx)
	if err == nil {
		r.Headers.Add("Authorization", "Bearer "+token.Reveal())
	}
	return err
}

// script is the admin's loop, with the SDK's own middleware: it selects what it
// compares, writes what differs and waits when it is told to.
func (w *world) script(s *site, people []directory.User) {
	w.Helper()
	options := graphcore.GraphClientOptions{}
	client := &http.Client{Transport: khttp.NewCustomTransportWithParentTransport(w.wire, graphcore.GetDefaultMiddlewaresWithOptions(&options)...)}
	adapter, err := graphcore.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		bearer{s.tokens}, options, jsonserialization.NewJsonParseNodeFactory(), jsonserialization.NewJsonSerializationWriterFactory(), client)
	w.do(err)
	adapter.SetBaseUrl(simBase + "/v1.0")
	all := users.NewUsersRequestBuilderInternal(map[string]string{"baseurl": simBase + "/v1.0"}, adapter)
	query := &users.UserItemRequestBuilderGetRequestConfiguration{QueryParameters: &users.UserItemRequestBuilderGetQueryParameters{Select: []string{"id"}}}
	for _, f := range fields {
		query.QueryParameters.Select = append(query.QueryParameters.Select, f.name)
	}
	for n := range people {
		one := all.ByUserId(people[n].Email)
		found, err := one.Get(w.Context(), query)
		if refused, ok := errors.AsType[*odataerrors.ODataError](err); ok && refused.ResponseStatusCode == http.StatusNotFound {
			_, err = all.Post(w.Context(), newAccount(&people[n]), nil)
			w.do(err)
			continue
		}
		w.do(err)
		change, differs := models.NewUser(), false
		for _, f := range fields {
			want := f.want(&people[n])
			if got := f.get(found); got == nil || *got != want {
				f.set(change, &want)
				differs = true
			}
		}
		if differs {
			_, err := one.Patch(w.Context(), change, nil)
			w.do(err)
		}
	}
}

// newAccount is what the loop creates.
func newAccount(u *directory.User) *models.User {
	a, password, enabled, yes := models.NewUser(), "Tr0ub4dor&3-x", u.Enabled(), true
	for _, f := range fields {
		want := f.want(u)
		f.set(a, &want)
	}
	nickname, _, _ := strings.Cut(u.Email, "@")
	profile := models.NewPasswordProfile()
	profile.SetPassword(&password)
	profile.SetForceChangePasswordNextSignIn(&yes)
	a.SetUserPrincipalName(&u.Email)
	a.SetMailNickname(&nickname)
	a.SetAccountEnabled(&enabled)
	a.SetPasswordProfile(profile)
	return a
}
