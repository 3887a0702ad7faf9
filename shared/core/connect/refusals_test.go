package connect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bindery/shared/directory"
)

const (
	traceID = "11111111-2222-4333-8444-555555555555"
	corrID  = "66666666-7777-4888-8999-000000000000"
)

// described is a description as Microsoft writes it.
func described(n int) string {
	return fmt.Sprintf("AADSTS%d: <b>A text</b> of the test. Trace ID: %s Correlation ID: %s Timestamp: 2026-11-28 07:00:00Z", n, traceID, corrID)
}

func tokenBody(t *testing.T, word, sub string, n int) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"error": word, "suberror": sub, "error_description": described(n), "error_codes": []int{n}, "trace_id": traceID, "correlation_id": corrID})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestCauses walks the whole table: each number, at a callback, at the code that it
// brings, and at the renewal of tokens in use.
func TestCauses(t *testing.T) {
	rowOf := map[int]string{}
	faces := map[string]verdict{}
	face := func(at string, v verdict) {
		t.Helper()
		if v.code == "" || v.title == "" || v.message == "" || v.next == "" || !strings.HasSuffix(v.message, ".") || !strings.HasSuffix(v.next, ".") {
			t.Errorf("%s: %+v lacks words", at, v)
		}
		if strings.ContainsAny(v.code+v.title+v.message+v.next, "<>&\n") {
			t.Errorf("%s: markup in %+v", at, v)
		}
		if was, ok := faces[v.code]; ok && (was.title != v.title || was.remedy != v.remedy) {
			t.Errorf("%s: two rows with the code %s have other titles or sides: %q %d, %q %d", at, v.code, was.title, was.remedy, v.title, v.remedy)
		}
		faces[v.code] = v
	}
	for i := range refusalRules {
		c := &refusalRules[i]
		at := fmt.Sprintf("row %d (%s)", i, c.code)
		face(at, verdict{c.class, c.remedy, c.problemText})
		if c.atSignIn != nil {
			face(at+" at a sign-in", verdict{c.class, c.remedy, *c.atSignIn})
		}
		if c.errors == nil && c.numbers == nil && c.suberrors == nil {
			t.Errorf("%s matches everything", at)
		}
		switch {
		case c.remedy == byNobody && !errors.Is(c.class, ErrTransient),
			c.signInOnly && c.atSignIn != nil,
			errors.Is(c.class, ErrNeedsAuthorization) && c.remedy == byOperator && c.code != "redirect-uri-kind": // an SPA's token does end
			t.Errorf("%s: class %v, side %d and the rest do not go together", at, c.class, c.remedy)
		}
		for _, named := range regexp.MustCompile(`[0-9]{5,}`).FindAllString(c.source, -1) {
			if n, err := strconv.Atoi(named); err != nil || !slices.Contains(c.numbers, n) {
				t.Errorf("%s: what is unproven names %s, which the row does not have", at, named)
			}
		}
		for _, n := range c.numbers {
			if was, ok := rowOf[n]; ok {
				t.Errorf("AADSTS%d stands in two rows, %s and %s", n, was, at)
			}
			rowOf[n] = at
			word := "interaction_required"
			if c.errors != nil {
				word = c.errors[0]
			}
			p := callbackError(url.Values{"error": {word}, "error_description": {described(n)}, "state": {"s"}})
			want := c.problemText
			if c.atSignIn != nil {
				want = *c.atSignIn
			}
			if p.Code != want.code || p.Title != want.title || !strings.HasPrefix(p.Message, want.message) || p.Next == "" || p.Status != c.remedy.status() {
				t.Errorf("AADSTS%d: the page is %+v, want that of %s", n, p, at)
			}
			if html := p.HTML(); strings.Contains(html, "A text") || strings.Contains(html, "<b>") ||
				!strings.Contains(html, fmt.Sprintf("AADSTS%d", n)) || !strings.Contains(html, traceID) || !strings.Contains(html, corrID) {
				t.Errorf("AADSTS%d: the page repeats what it should not, or lacks code and ids: %s", n, html)
			}
			atCode := classify(atSignIn, 400, tokenBody(t, word, "", n))
			if atCode.Problem.Code != want.code || atCode.Problem.Next == nextWait {
				t.Errorf("AADSTS%d for a code: %+v, want %s", n, atCode.Problem, want.code)
			}
			e := classify(atRenewal, 400, tokenBody(t, word, "", n))
			if lost := errors.Is(e, directory.ErrUnauthorized); lost != (errors.Is(c.class, ErrNeedsAuthorization) && !c.signInOnly) || lost != (e.Problem.Kind == directory.ProblemAuthorization) {
				t.Errorf("AADSTS%d for a renewal ends the authorisation: %t, kind %s; %s is of class %v, for a sign-in only: %t", n, lost, e.Problem.Kind, at, c.class, c.signInOnly)
			}
			if e.Problem.MicrosoftCode != fmt.Sprintf("AADSTS%d", n) || e.Problem.RequestID != traceID || e.Problem.CorrelationID != corrID || e.Problem.Next == "" {
				t.Errorf("AADSTS%d for a renewal loses Microsoft's code or ids: %+v", n, e.Problem)
			}
			// That Microsoft does not know our app says nothing of anybody's tokens.
			if e := classify(atRenewal, 401, tokenBody(t, "invalid_client", "", n)); errors.Is(e, directory.ErrUnauthorized) {
				t.Errorf("AADSTS%d with invalid_client ends the authorisation: %+v", n, e.Problem)
			}
			for _, status := range []int{429, 500, 503} {
				if e := classify(atRenewal, status, tokenBody(t, word, "", n)); !errors.Is(e.Class, ErrTransient) {
					t.Errorf("AADSTS%d with %d is %v", n, status, e.Class)
				}
			}
		}
	}
	for _, v := range []verdict{{problemText: misplacedText}, {problemText: unknownText}} {
		face("a fallback", v)
	}
}

// TestCausesNamed: what an earlier table said wrongly, or nothing of, by number. lost
// says whether it ends the authorisation when a renewal meets it.
func TestCausesNamed(t *testing.T) {
	for _, tt := range []struct {
		n            int
		word         string
		page         string
		status       int
		cause, next  string // parts
		renewal      string
		lost         bool
		kindOfRefuse directory.ProblemKind
	}{
		{90093, "access_denied", "consent-not-allowed", 403, "no right to grant the permissions", "Global Administrator", "consent-not-allowed", false, directory.ProblemTenant},
		{650052, "access_denied", "service-missing", 403, "has not subscribed to", "subscriptions", "service-missing", false, directory.ProblemTenant},
		{650052, "invalid_client", "service-missing", 403, "has not subscribed to", "subscriptions", "service-missing", false, directory.ProblemTenant},
		{90072, "interaction_required", "account-of-another-tenant", 400, "another organisation", "immutable ID", "account-of-another-tenant", true, directory.ProblemAuthorization},
		{90072, "access_denied", "account-of-another-tenant", 400, "no member or guest", "admin of the tenant", "account-of-another-tenant", true, directory.ProblemAuthorization},
		{50034, "invalid_grant", "wrong-account", 400, "mistyped", "admin of the tenant", "admin-deleted", true, directory.ProblemAuthorization},
		{16000, "interaction_required", "wrong-account", 400, "another organisation", "admin of the tenant", "admin-deleted", true, directory.ProblemAuthorization},
		{700016, "unauthorized_client", "app-unknown", 403, "not in this tenant", "client ID", "app-removed", true, directory.ProblemAuthorization},
		{7000112, "unauthorized_client", "app-disabled", 403, "disabled", "Enterprise applications", "app-disabled", true, directory.ProblemAuthorization},
		{50057, "access_denied", "account-disabled", 403, "blocked", "Unblock", "admin-disabled", true, directory.ProblemAuthorization},
		{50053, "access_denied", "account-locked", 400, "too many wrong passwords", "Wait", "refusal-misplaced", false, directory.ProblemTransient},
		{50126, "invalid_grant", "password-wrong", 400, "password", "Start once more", "refusal-misplaced", false, directory.ProblemTransient},
		{54005, "invalid_grant", directory.CodeSignInExpired, 400, "used already", "Start", "refusal-misplaced", false, directory.ProblemTransient},
		{50000, "invalid_grant", "microsoft-unavailable", 503, "not available", "Wait", "microsoft-unavailable", false, directory.ProblemTransient},
		{90036, "invalid_grant", "microsoft-failed", 503, "error of its own", "support", "microsoft-failed", false, directory.ProblemTransient},
		{50088, "interaction_required", "mfa-limit", 503, "calls and text messages", "Wait", "mfa-limit", false, directory.ProblemTransient},
		{53011, "access_denied", "account-at-risk", 403, "at risk", "risk", "account-at-risk", true, directory.ProblemAuthorization},
		{530032, "access_denied", "conditional-access", 403, "security policy", "policy", "conditional-access", true, directory.ProblemAuthorization},
		{53001, "access_denied", "conditional-access", 403, "device", "device", "conditional-access", true, directory.ProblemAuthorization},
		{500021, "access_denied", "tenant-restrictions", 403, "network", "another network", "refusal-misplaced", false, directory.ProblemTransient},
		{500213, "access_denied", "cross-tenant-access", 403, "cross-tenant access", "cross-tenant access", "cross-tenant-access", true, directory.ProblemAuthorization},
		{90038, "invalid_request", "other-cloud", 500, "clouds", "cloud", "other-cloud", false, directory.ProblemDefect},
		{90099, "access_denied", "partner-not-authorized", 403, "partner", "Partner Center", "partner-not-authorized", true, directory.ProblemAuthorization},
		{650056, "invalid_client", "app-permissions", 500, "no admin of the tenant has consented", "Global Administrator", "app-permissions", false, directory.ProblemDefect},
		{650057, "invalid_resource", "app-permissions", 500, "registration", "API permissions", "app-permissions", false, directory.ProblemDefect},
		{50194, "invalid_request", "single-tenant-app", 500, "one tenant only", "any organisational directory", "single-tenant-app", false, directory.ProblemDefect},
		{700084, "invalid_grant", "redirect-uri-kind", 500, "single-page application", "Web", "redirect-uri-kind", true, directory.ProblemAuthorization},
		{700213, "invalid_client", "federated-credential", 500, "federated credential", "subject", "federated-credential", false, directory.ProblemDefect},
		{50133, "invalid_grant", "session-ended", 400, "changed lately", "again", "session-ended", true, directory.ProblemAuthorization},
		{20012, "access_denied", "federated-sign-in", 403, "federated", "onmicrosoft.com", "refusal-misplaced", false, directory.ProblemTransient},
		{80002, "access_denied", "on-premises-sign-in", 403, "Active Directory", "agents", "refusal-misplaced", false, directory.ProblemTransient},
		// Of what nobody knows nothing is invented, and the number is told.
		{59999, "access_denied", "access-denied", 400, "AADSTS59999", "Look the code up", "access-denied", false, directory.ProblemTransient},
		{59999, "something_new", "microsoft-error", 400, "does not know", "Look the code up", "microsoft-error", false, directory.ProblemTransient},
		{59999, "invalid_grant", "authorization-refused", 400, "AADSTS59999", "again", "authorization-refused", true, directory.ProblemAuthorization},
		{59999, "unauthorized_client", "app-refused", 403, "AADSTS59999", "again", "app-refused", true, directory.ProblemAuthorization},
		{59999, "invalid_request", "malformed-request", 500, "AADSTS59999", "Report", "malformed-request", false, directory.ProblemDefect},
	} {
		name := fmt.Sprintf("AADSTS%d with %s", tt.n, tt.word)
		p := callbackError(url.Values{"error": {tt.word}, "error_description": {described(tt.n)}})
		if p.Code != tt.page || p.Status != tt.status || !strings.Contains(p.Message, tt.cause) || !strings.Contains(p.Next, tt.next) {
			t.Errorf("%s: page %d %s\n%s\n%s", name, p.Status, p.Code, p.Message, p.Next)
		}
		if !slices.Contains(p.Facts, Fact{factCode, fmt.Sprintf("AADSTS%d", tt.n)}) {
			t.Errorf("%s: the page lacks the code: %+v", name, p.Facts)
		}
		e := classify(atRenewal, 400, tokenBody(t, tt.word, "", tt.n))
		if e.Problem.Code != tt.renewal || errors.Is(e, directory.ErrUnauthorized) != tt.lost || e.Problem.Kind != tt.kindOfRefuse {
			t.Errorf("%s for a renewal: %+v, class %v; want %s, lost %t, %s", name, e.Problem, e.Class, tt.renewal, tt.lost, tt.kindOfRefuse)
		}
	}
}

// TestCallbackShowsNoIdsOfOthersMaking: a link can be written by anybody.
func TestCallbackShowsNoIdsOfOthersMaking(t *testing.T) {
	for _, text := range []string{
		"AADSTS90072: x Trace ID: <script>alert(1)</script> Correlation ID: call 0800-EVIL now, it is urgent!!! ",
		"AADSTS90072: x Trace ID: ------------------------------------ Correlation ID: 66666666-7777-4888-8999-00000000000g",
		"AADSTS90072</dd>: x",
	} {
		p := callbackError(url.Values{"error": {"<i>odd</i>"}, "error_description": {text}, "error_subcode": {"<b>"}})
		html := p.HTML()
		for _, bad := range []string{"<script", "EVIL", "------", "00000000000g", "<i>", "odd", "<b>"} {
			if strings.Contains(html, bad) {
				t.Errorf("%q: the page shows %q", text, bad)
			}
		}
	}
}

// TestCausesInOperations: every code that a page or a problem can have is in the
// table of OPERATIONS.md, in the row of who can mend it.
func TestCausesInOperations(t *testing.T) {
	operations, err := os.ReadFile("../../../infra/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[remedy]string{}
	for line := range strings.Lines(string(operations)) {
		for s, who := range map[remedy]string{bySignIn: "whoever signs in", byTenant: "an admin of the tenant", byOperator: "whoever runs Bindery", byNobody: "nobody: it is tried again"} {
			if strings.HasPrefix(line, "| "+who+" |") {
				rows[s] += line
			}
		}
	}
	in := func(s remedy, code string) {
		if !strings.Contains(rows[s], "`"+code+"`") {
			t.Errorf("OPERATIONS.md lacks the code %s in the row of side %d", code, s)
		}
	}
	for i := range refusalRules {
		in(refusalRules[i].remedy, refusalRules[i].code)
		if w := refusalRules[i].atSignIn; w != nil {
			in(refusalRules[i].remedy, w.code)
		}
	}
	in(bySignIn, unknownText.code)
	in(byNobody, misplacedText.code)
}
