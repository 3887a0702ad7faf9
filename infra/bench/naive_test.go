package bench

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	khttp "github.com/microsoft/kiota-http-go"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	graphcore "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
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

// naive compares Bindery with the loop that an admin scripts with Microsoft's
// SDK: read each user, compare, change one by one. Both have the same people, of
// whom one in a hundred was given another job, and the same simulated tenant.
func naive(t *testing.T, r *report) {
	var theirs, ours usage
	var theirTime, ourTime time.Duration
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, naiveUsers)
		defer w.cloud.stop()
		people := w.promoted()
		begun := time.Now()
		theirs = w.measured(func() { w.script(w.sites[0], people) })
		theirTime = time.Since(begun)
		w.promotedAll()
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, entratest.Quota{}, naiveUsers)
		defer w.cloud.stop()
		w.wakeUp(w.sites[0])
		w.cloud.rest() // the tenant has been read, as it is day by day
		time.Sleep(time.Hour)
		w.promoted()
		begun := time.Now()
		ours = w.measured(func() {
			w.wakeUp(w.sites[0])
			w.until("done", time.Hour, 10*time.Millisecond, func() bool { return w.loaded(w.sites[0]) })
			ourTime = time.Since(begun)
		})
		w.promotedAll()
	})
	what := func(a, b any) string {
		return fmt.Sprintf("10,000 users, 1 %% changed: the script's %v ÷ ours, %v", a, b)
	}
	r.add("naive.requests_ratio", float64(theirs.Requests)/float64(ours.Requests), "ratio", higher, what(theirs.Requests, ours.Requests))
	r.add("naive.items_ratio", float64(theirs.Items)/float64(ours.Items), "ratio", higher, what(theirs.Items, ours.Items))
	r.add("naive.units_ratio", theirs.Units/ours.Units, "ratio", higher, what(theirs.Units, ours.Units))
	r.add("naive.time_ratio", theirTime.Seconds()/ourTime.Seconds(), "ratio", higher, what(theirTime.Round(time.Second), ourTime.Round(10*time.Millisecond)))
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
		one := all.ByUserId(string(accountID(n)))
		found, err := one.Get(w.Context(), query)
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
