package entra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

func TestWriteEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	made := w.write(creation("new"))
	if made.Problem != nil || made.Status != 201 || made.AccountID == "" || made.UserPrincipalName != "new@fabrikam.example" || made.RequestID == "" ||
		made.Properties["displayName"].String() != "new" {
		t.Fatalf("Write(create) = %+v", made)
	}
	a := w.account(string(made.AccountID))
	if a["accountEnabled"] != true || sprint(a["onPremisesExtensionAttributes"]) == "<nil>" {
		t.Errorf("the new account is %v", a)
	}
	steps := []struct {
		write directory.Write
		check func(map[string]any) bool
	}{
		{directory.Write{Effect: directory.EffectBlock, Properties: directory.Properties{"accountEnabled": directory.BoolValue(false)}},
			func(a map[string]any) bool { return a["accountEnabled"] == false }},
		{directory.Write{Effect: directory.EffectRevoke}, func(map[string]any) bool { return true }},
		{directory.Write{Effect: directory.EffectUnblock, Properties: directory.Properties{"accountEnabled": directory.BoolValue(true)}},
			func(a map[string]any) bool { return a["accountEnabled"] == true }},
		{directory.Write{Effect: directory.EffectRename, Properties: directory.Properties{"userPrincipalName": directory.StringValue("renamed@fabrikam.example")}},
			func(a map[string]any) bool { return a["userPrincipalName"] == "renamed@fabrikam.example" }},
		{directory.Write{Effect: directory.EffectDelete}, nil},
		{directory.Write{Effect: directory.EffectDelete}, nil}, // gone already: success
		{directory.Write{Effect: directory.EffectRestore}, func(a map[string]any) bool { return a["userPrincipalName"] == "renamed@fabrikam.example" }},
	}
	for i, s := range steps {
		s.write.AccountID = made.AccountID
		out := w.write(s.write)
		if out.Problem != nil || out.Retry || out.Unknown {
			t.Fatalf("step %d, Write(%s) = %+v", i, s.write.Effect, out)
		}
		if s.check != nil && !s.check(w.account(string(made.AccountID))) {
			t.Errorf("step %d, after %s the account is %v", i, s.write.Effect, w.account(string(made.AccountID)))
		}
	}
	revoked := false
	for _, m := range w.sim.Mutations(simTenant) {
		revoked = revoked || m.Kind == "revoke" && m.TargetID == string(made.AccountID)
	}
	if !revoked {
		t.Error("the sessions were not revoked")
	}
}

func TestNullClears(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	out := w.write(update(plainID, directory.Properties{
		"jobTitle": directory.Null, "mobilePhone": directory.Null, "businessPhones": directory.Null, "otherMails": directory.Null,
		"extensionAttribute3": directory.Null, "department": directory.StringValue("Research"),
	}))
	if out.Problem != nil {
		t.Fatalf("Write = %+v", out)
	}
	a := w.account(plainID)
	for _, name := range []string{"jobTitle", "mobilePhone"} {
		if a[name] != nil {
			t.Errorf("%s = %v, want it cleared", name, a[name])
		}
	}
	for _, name := range []string{"businessPhones", "otherMails"} {
		if sprint(a[name]) != "[]" {
			t.Errorf("%s = %v, want it empty", name, a[name])
		}
	}
	nested, _ := a["onPremisesExtensionAttributes"].(map[string]any)
	if nested["extensionAttribute3"] != nil || nested["extensionAttribute4"] != "kept" || a["department"] != "Research" {
		t.Errorf("the account is %v", a)
	}
}

func TestWriteBatches(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 19, 20, 21} {
		w := newWorld(t, 0)
		writes := make([]directory.Write, n)
		for i := range writes {
			writes[i] = creation(fmt.Sprintf("new%d", i))
		}
		out, err := w.tenant.Write(t.Context(), writes)
		if n > 20 {
			if !errors.Is(err, directory.ErrNotSent) || !errors.Is(err, directory.ErrInvalid) || len(w.sim.Requests()) != 0 {
				t.Errorf("Write of %d = %v, want it refused", n, err)
			}
			continue
		}
		if err != nil || len(out) != n {
			t.Fatalf("Write of %d = %d, %v", n, len(out), err)
		}
		for i, o := range out {
			if o.Problem != nil || o.UserPrincipalName != writes[i].Properties["userPrincipalName"].String() {
				t.Errorf("outcome %d of %d is not in its place: %+v", i, n, o)
			}
		}
	}
	w := newWorld(t, 0)
	p := directory.Properties{"jobTitle": directory.StringValue("x")}
	if _, err := w.tenant.Write(t.Context(), []directory.Write{update(plainID, p), update(plainID, p)}); !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("Write of two to one account = %v, want it refused", err)
	}
}

func TestUnfitWritesAreNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	bare := creation("x")
	bare.Password = directory.Secret{}
	writes := []directory.Write{
		update("", directory.Properties{"jobTitle": directory.Null}), update("delta", directory.Properties{"jobTitle": directory.Null}),
		update(plainID, nil), {Effect: directory.EffectDelete, AccountID: "plain@fabrikam.example"},
		{Effect: directory.EffectAdopt, AccountID: boxID}, bare,
		update(memberID, directory.Properties{"jobTitle": directory.StringValue("sent")}),
	}
	out, err := w.tenant.Write(t.Context(), writes)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range out {
		if sent := i == len(out)-1; (o.Problem == nil) != sent || !sent && (o.Problem.Code != "request-invalid" || o.Status != 0) {
			t.Errorf("outcome %d = %+v", i, o)
		}
	}
	if w.account(memberID)["jobTitle"] != "sent" {
		t.Error("the one good write was not sent")
	}
}

func TestPriorityOfWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.write(update(plainID, directory.Properties{"jobTitle": directory.StringValue("x")}))
	w.write(directory.Write{Effect: directory.EffectBlock, AccountID: plainID, Properties: directory.Properties{"accountEnabled": directory.BoolValue(false)}})
	var got []string
	ids := map[string]bool{}
	for _, r := range w.sim.Requests() {
		got = append(got, r.Priority)
		ids[r.ClientID] = true
	}
	if sprint(got) != "[low low high high]" || len(ids) != 4 || ids[""] {
		t.Errorf("priorities = %v, %d client-request-ids", got, len(ids))
	}
}

func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	if err := w.sim.EditAccount(simTenant, boxID, map[string]any{"mail": "box@fabrikam.example"}); err != nil {
		t.Fatal(err)
	}
	federated := creation("f")
	federated.Properties["userPrincipalName"] = directory.StringValue("f@fed.example")
	elsewhere := creation("e")
	elsewhere.Properties["userPrincipalName"] = directory.StringValue("e@elsewhere.example")
	weak := creation("weak")
	weak.Password = directory.NewSecret("password")
	held := creation("o'box")
	held.Properties["mailNickname"] = directory.StringValue("obox")
	set := func(name, value string) directory.Write {
		return update(plainID, directory.Properties{name: directory.StringValue(value)})
	}
	for name, row := range map[string]struct {
		write directory.Write
		code  string
	}{
		"name taken":       {creation("plain"), directory.CodeUserPrincipalNameTaken},
		"address taken":    {held, directory.CodeAddressTaken},
		"federated":        {federated, "immutable-id-required"},
		"domain elsewhere": {elsewhere, "domain-not-verified"},
		"weak password":    {weak, "password-refused"},
		"synced":           {update(syncedID, directory.Properties{"jobTitle": directory.StringValue("x")}), "synced-on-premises"},
		"gone":             {update(nobodyID, directory.Properties{"jobTitle": directory.StringValue("x")}), directory.CodeAccountNotFound},
		"not in the bin":   {directory.Write{Effect: directory.EffectRestore, AccountID: nobodyID}, "deleted-account-gone"},
		"too long":         {set("employeeId", "12345678901234567"), "property-too-long"},
		"bad location":     {set("usageLocation", "Switzerland"), "usage-location-invalid"},
		"read-only":        {set("creationType", "x"), "property-read-only"},
	} {
		out := w.write(row.write)
		if out.Problem == nil || out.Problem.Code != row.code || out.Retry || out.Unknown || out.Problem.Message == "" || out.Problem.Next == "" || out.Problem.RequestID == "" {
			t.Errorf("%s: Write = %+v, problem %+v; want %s", name, out, out.Problem, row.code)
		}
		if out.Problem != nil && strings.Contains(out.Problem.Error(), "{") {
			t.Errorf("%s: the message is not filled in: %s", name, out.Problem)
		}
	}
	if out := w.write(held); out.Problem.Holder != boxID {
		t.Errorf("the holder of the address = %q, want %s", out.Problem.Holder, boxID)
	}
	federated.OnPremisesImmutableID = "usr1"
	if out := w.write(federated); out.Problem != nil {
		t.Errorf("a creation in a federated domain with an immutable id = %+v", out.Problem)
	}
}

func TestWriteFaultsOfItems(t *testing.T) {
	t.Parallel()
	second := 2128 * time.Millisecond
	for name, row := range map[string]struct {
		fault          entratest.Fault
		retry, unknown bool
		wait           time.Duration
		applied        bool
	}{
		"throttled":            {entratest.Fault{Kind: "throttle", RetryAfter: "2.128"}, true, false, second, false},
		"throttled, no wait":   {entratest.Fault{Kind: "throttle"}, true, false, defaultWait, false},
		"throttled, an hour":   {entratest.Fault{Kind: "throttle", RetryAfter: "1e30"}, true, false, maxWait, false},
		"503 before":           {entratest.Fault{Kind: "status", Status: 503}, false, true, 0, false},
		"503 after the effect": {entratest.Fault{Kind: "status", Status: 503, When: "after", RetryAfter: "3"}, false, true, 3 * time.Second, true},
		"504 after the effect": {entratest.Fault{Kind: "status", Status: 504, When: "after"}, false, true, 0, true},
		"locked":               {entratest.Fault{Kind: "status", Status: 423}, true, false, 0, false},
		"concurrent":           {entratest.Fault{Kind: "status", Status: 409, Code: "Directory_ConcurrencyViolation"}, true, false, 0, false},
		"token refused twice":  {entratest.Fault{Kind: "unauthorized"}, true, false, 0, false},
	} {
		w := newWorld(t, 0)
		row.fault.Path = "^/users$"
		w.fault(row.fault)
		out, err := w.tenant.Write(t.Context(), []directory.Write{
			creation("new"), update(plainID, directory.Properties{"jobTitle": directory.StringValue("x")}),
		})
		if err != nil {
			t.Errorf("%s: Write = %v", name, err)
			continue
		}
		if o := out[0]; o.Retry != row.retry || o.Unknown != row.unknown || o.RetryAfter != row.wait || o.Problem == nil {
			t.Errorf("%s: outcome = %+v", name, o)
		}
		if o := out[1]; o.Problem != nil || o.Retry || o.Unknown {
			t.Errorf("%s: the other write's outcome = %+v", name, o)
		}
		if _, there := w.sim.Account(simTenant, "new@fabrikam.example"); there != row.applied {
			t.Errorf("%s: the account is there: %v", name, there)
		}
		creations := 0
		for _, m := range w.sim.Mutations(simTenant) {
			if m.Kind == "create" && m.UPN == "new@fabrikam.example" {
				creations++
			}
		}
		if creations > 1 {
			t.Errorf("%s: created %d times", name, creations)
		}
	}
}

func TestItemsRefusedWith401AreSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	w.fault(entratest.Fault{Kind: "unauthorized", Path: "^/users$", Times: 1})
	out, err := w.tenant.Write(t.Context(), []directory.Write{
		creation("new"), update(plainID, directory.Properties{"jobTitle": directory.StringValue("x")}),
	})
	if err != nil || out[0].Problem != nil || out[0].UserPrincipalName != "new@fabrikam.example" || out[1].Problem != nil || w.tokens.renewed != 1 {
		t.Errorf("Write = %+v, %v after %d renewals", out, err, w.tokens.renewed)
	}
	w.fault(entratest.Fault{Kind: "unauthorized", Path: "^/users/"})
	if _, err := w.tenant.Write(t.Context(), []directory.Write{update(plainID, directory.Properties{"jobTitle": directory.StringValue("y")})}); !errors.Is(err, directory.ErrUnauthorized) {
		t.Errorf("Write when every item is refused = %v, want ErrUnauthorized", err)
	}
}

func TestWriteFaultsOfBatches(t *testing.T) {
	t.Parallel()
	throttled := func(err error) bool {
		x, ok := errors.AsType[*directory.ThrottledError](err)
		return ok && x.RetryAfter == 4*time.Second
	}
	not := func(err error) bool { _, ok := errors.AsType[*directory.ThrottledError](err); return !ok }
	is := func(targets ...error) func(error) bool {
		return func(err error) bool {
			for _, target := range targets {
				if !errors.Is(err, target) {
					return false
				}
			}
			return true
		}
	}
	for name, row := range map[string]struct {
		fault   entratest.Fault
		good    func(error) bool
		applied bool
	}{
		"throttled":        {entratest.Fault{Kind: "throttle", RetryAfter: "4"}, throttled, false},
		"unauthorized":     {entratest.Fault{Kind: "unauthorized"}, is(directory.ErrUnauthorized), false},
		"forbidden":        {entratest.Fault{Kind: "status", Status: 403}, is(directory.ErrNotSent), false},
		"503":              {entratest.Fault{Kind: "status", Status: 503, RetryAfter: "4"}, func(err error) bool { return is(directory.ErrUnavailable, directory.ErrUnverified)(err) && not(err) }, false},
		"503 afterwards":   {entratest.Fault{Kind: "status", Status: 503, When: "after"}, is(directory.ErrUnavailable, directory.ErrUnverified), true},
		"dropped":          {entratest.Fault{Kind: "drop"}, is(directory.ErrUnavailable, directory.ErrUnverified), false},
		"dropped after it": {entratest.Fault{Kind: "drop", When: "after"}, is(directory.ErrUnavailable, directory.ErrUnverified), true},
	} {
		w := newWorld(t, 0)
		row.fault.Path = "batch"
		w.fault(row.fault)
		_, err := w.tenant.Write(t.Context(), []directory.Write{creation("new")})
		if !row.good(err) {
			t.Errorf("%s: Write = %v", name, err)
		}
		if errors.Is(err, directory.ErrNotSent) && errors.Is(err, directory.ErrUnverified) {
			t.Errorf("%s: Write = %v, both not sent and unverified", name, err)
		}
		if _, there := w.sim.Account(simTenant, "new@fabrikam.example"); there != row.applied {
			t.Errorf("%s: the account is there: %v", name, there)
		}
	}
}

func TestWriteDeadlines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.tenant.Write(late, []directory.Write{creation("new")}); !errors.Is(err, context.Canceled) {
		t.Errorf("Write after cancelling = %v", err)
	}
	synctest.Test(t, func(t *testing.T) { // the time passes on the way, not before it is sent
		w := newWorld(t, 0)
		w.fault(entratest.Fault{Kind: "slow", Path: "batch", Seconds: 20, When: "after", Times: 1})
		soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := w.tenant.Write(soon, []directory.Write{creation("new")})
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, directory.ErrUnverified) || errors.Is(err, directory.ErrNotSent) {
			t.Errorf("Write past its deadline = %v, want it unverified", err)
		}
	})
	refused, err := New(Config{BaseURL: "http://127.0.0.1:1/v1.0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := refused.Tenant(w.tokens).Write(t.Context(), []directory.Write{creation("new")}); !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("Write to a closed port = %v, want ErrNotSent", err)
	}
}

// frozen is a context whose time is over by the time of day, and whose timer has not
// noticed: the machine was frozen.
type frozen struct {
	context.Context
	until *time.Time
}

func (f frozen) Deadline() (time.Time, bool) { return *f.until, true }

// TestWriteAfterItsTime: a request whose time is over before it is written to the
// connection does not leave, wherever it has waited until then.
func TestWriteAfterItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, where := range []string{"for a token", "for a connection", "in the middle of its body", "after its body"} {
		until := time.Now().Add(requestTime / 2).Round(0)
		over := func() { until = time.Now().Add(-time.Second).Round(0) }
		asked, left := false, 0
		w.round = func(r *http.Request) (*http.Response, error) {
			asked = true
			if where == "for a connection" {
				over()
			}
			buffer := make([]byte, 10)
			for {
				n, err := r.Body.Read(buffer)
				left += n
				if int64(left) == r.ContentLength {
					if where == "after its body" {
						over()
						_, err = r.Body.Read(buffer)
					}
					if err == nil || errors.Is(err, io.EOF) {
						err = errors.New("the connection was reset")
					}
				}
				if err != nil {
					return nil, err
				}
				if where == "in the middle of its body" {
					over()
				}
			}
		}
		tenant := w.tenant
		if where == "for a token" {
			tenant = w.graph.Tenant(slowTokens{w.tokens, over})
		}
		_, err := tenant.Write(frozen{t.Context(), &until}, []directory.Write{creation("new")})
		unsent := errors.Is(err, directory.ErrNotSent) && errors.Is(err, directory.ErrUnavailable) && errors.Is(err, context.DeadlineExceeded)
		if whole := where == "after its body"; unsent == whole || errors.Is(err, directory.ErrUnverified) != whole {
			t.Errorf("Write after waiting %s = %v", where, err)
		}
		if asked != (where != "for a token") || where == "for a connection" && left > 0 {
			t.Errorf("after waiting %s %d bytes have left", where, left)
		}
	}
}

// slowTokens is a TokenSource that takes its time.
type slowTokens struct {
	TokenSource
	wait func()
}

func (s slowTokens) Token(ctx context.Context) (directory.Secret, error) {
	s.wait()
	return s.TokenSource.Token(ctx)
}

// lateOnItsWay has the time of requests end once they have been handed to net/http.
type lateOnItsWay struct {
	http.RoundTripper
	over func()
}

func (l lateOnItsWay) RoundTrip(r *http.Request) (*http.Response, error) {
	l.over()
	return l.RoundTripper.RoundTrip(r)
}

// TestLateBodyOnAConnection: net/http has a connection by then, and may have sent the
// request's head. The service gets no body, and nobody takes the write for sent.
func TestLateBodyOnAConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		got := make(chan error, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if r.Proto != version || len(body) > 0 {
				err = fmt.Errorf("by %s: %d bytes", r.Proto, len(body))
				t.Error(err)
			}
			got <- err
		}))
		server.EnableHTTP2 = version == "HTTP/2.0"
		server.StartTLS()
		until := time.Now().Add(requestTime / 2).Round(0)
		way := lateOnItsWay{server.Client().Transport, func() { until = time.Now().Add(-time.Second).Round(0) }}
		graph, err := New(Config{BaseURL: server.URL + "/v1.0", Transport: way})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := graph.Tenant(w.tokens).Write(frozen{t.Context(), &until}, []directory.Write{creation("new")}); !errors.Is(err, directory.ErrNotSent) {
			t.Errorf("%s: Write = %v", version, err)
		}
		server.CloseClientConnections()
		server.Close()
		select { // net/http may not have sent as much as the head
		case err := <-got:
			if err == nil {
				t.Errorf("%s: the service read a whole request", version)
			}
		default:
		}
	}
}

func TestBatchAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	write := []directory.Write{creation("a"), creation("b")}
	created := `{"id":"2","status":201,"body":{"id":"` + plainID + `","userPrincipalName":"b@fabrikam.example"}}`
	for name, body := range map[string]string{
		"one is missing":        `{"responses":[` + created + `]}`,
		"one has no status":     `{"responses":[` + created + `,{"id":"1"}]}`,
		"one is a redirect":     `{"responses":[` + created + `,{"id":"1","status":302}]}`,
		"one is created, no id": `{"responses":[{"id":"1","status":201},` + created + `]}`,
		"one is of a gateway":   `{"responses":[` + created + `,{"id":"1","status":404,"body":"PGh0bWw+"}]}`,
		"one timed out":         `{"responses":[` + created + `,{"id":"1","status":408}]}`,
		"one has another id":    `{"responses":[` + created + `,{"id":"11","status":201},{"id":"x","status":201}]}`,
	} {
		w.round = func(*http.Request) (*http.Response, error) { return answer(200, body), nil }
		out, err := w.tenant.Write(t.Context(), write)
		if err != nil || !out[0].Unknown || out[0].Problem == nil || out[1].Problem != nil || out[1].AccountID != plainID {
			t.Errorf("%s: Write = %+v, %v; want the first unknown, the second applied", name, out, err)
		}
	}
	for name, body := range map[string]string{"nothing": ``, "no answers": `{}`, "half": `{"responses":[`, "a page": `<html>`} {
		w.round = func(*http.Request) (*http.Response, error) { return answer(200, body), nil }
		if _, err := w.tenant.Write(t.Context(), write); !errors.Is(err, directory.ErrUnverified) || errors.Is(err, directory.ErrNotSent) {
			t.Errorf("%s: Write = %v, want it unverified", name, err)
		}
	}
	// The envelope's status of an older Graph, and one that a dead item caused.
	w.round = func(*http.Request) (*http.Response, error) {
		return answer(424, `{"responses":[`+created+`,{"id":"1","status":429,"headers":{"Retry-After":6}}]}`), nil
	}
	out, err := w.tenant.Write(t.Context(), write)
	if err != nil || !out[0].Retry || out[0].RetryAfter != 6*time.Second || out[1].Problem != nil {
		t.Errorf("Write answered 424 = %+v, %v", out, err)
	}
	w.round = func(*http.Request) (*http.Response, error) { return answer(424, ``), nil }
	if _, err := w.tenant.Write(t.Context(), write); !errors.Is(err, directory.ErrNotSent) {
		t.Errorf("Write answered 424 and nothing = %v", err)
	}
}

func TestPasswordsStayInside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0)
	const password = "Xk7!qpLm29-vTz"
	for _, f := range []entratest.Fault{{Kind: "drop"}, {Kind: "status", Status: 500}, {Kind: "status", Status: 400}, {Kind: "throttle"}} {
		w.fault(f)
		out, err := w.tenant.Write(t.Context(), []directory.Write{creation("new")})
		if strings.Contains(fmt.Sprintf("%+v %v", out, err), password) || strings.Contains(w.log.String(), password) {
			t.Errorf("the password came out after %s", f.Kind)
		}
		w.sim.ClearFaults()
	}
}
