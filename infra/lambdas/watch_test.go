package lambdas

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// What passes by, and how it may stand in a log.
func TestSecrets(t *testing.T) {
	s := &Secrets{}
	s.Add("whole-secret-text")
	s.Add(`{"refresh":"in-a-document","n":1}`)
	s.Add("short")
	h := s.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 {
			t.Errorf("the handler got %q, %v", body, err)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "cookie-of-ours"})
		w.Header().Set("Location", "https://x.example/?code=code-that-goes-on")
		w.WriteHeader(http.StatusFound)
		io.WriteString(w, `{"access_token":"token-of-an-answer","error":{"code":"Request_ResourceNotFound"}}`)
	}))
	r := httptest.NewRequest("POST", "/token?state=state-of-the-address", strings.NewReader("client_secret=secret+in+a+form&code=code-of-a-form&scope=openid-profile"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer bearer-of-a-caller")
	r.AddCookie(&http.Cookie{Name: "b", Value: "cookie-of-theirs"})
	got := httptest.NewRecorder()
	h.ServeHTTP(got, r)
	if got.Code != http.StatusFound || !strings.Contains(got.Body.String(), "token-of-an-answer") || got.Header().Get("Location") == "" {
		t.Errorf("the caller got %d %s %v", got.Code, got.Body, got.Header())
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(`{"requests":[{"body":{"passwordProfile":{"password":"first-password"}}}]}`)))
	for _, secret := range []string{
		"whole-secret-text", "in-a-document", "cookie-of-ours", "code-that-goes-on", "token-of-an-answer", "state-of-the-address", "secret in a form", "code-of-a-form",
		"bearer-of-a-caller", "cookie-of-theirs", "first-password",
	} {
		for how, text := range map[string]string{
			"plain": secret, "base64": base64.StdEncoding.EncodeToString([]byte(secret)), "hexadecimal": fmt.Sprintf("%x", secret),
		} {
			places := s.Found([]byte("one line\n{\"msg\":\"" + text + "\"}\n"))
			if len(places) != 1 || strings.Contains(places[0], text) || !strings.HasPrefix(places[0], `{"msg":"[`) {
				t.Errorf("%s, %s: found %q", secret, how, places)
			}
		}
	}
	for _, innocent := range []string{"short", "Request_ResourceNotFound", "openid-profile", "whole-secret-tex"} {
		if places := s.Found([]byte(innocent)); len(places) > 0 {
			t.Errorf("%s: found %q", innocent, places)
		}
	}
}

func TestSamples(t *testing.T) {
	s := samples{}
	for _, line := range []string{
		`{"msg":"no metric"}`, `no JSON`,
		`{"_aws":{"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[[]],"Metrics":[{"Name":"A"},{"Name":"B"}]}]},"A":2,"B":0}`,
		`{"_aws":{"CloudWatchMetrics":[{"Namespace":"n","Dimensions":[["d"],[]],"Metrics":[{"Name":"A"}]}]},"A":3,"d":"x"}`,
	} {
		s.read([]byte(line))
	}
	for key, want := range map[[3]string]string{{"n", "A", ""}: "[2 3]", {"n", "B", ""}: "[0]", {"n", "A", "x"}: "[3]", {"m", "A", ""}: "[]"} {
		if got := fmt.Sprint(s[key]); got != want {
			t.Errorf("%v = %s, want %s", key, got, want)
		}
	}
	for name, want := range map[string]float64{"Sum": 5, "Maximum": 3, "Minimum": 2} {
		if got := statistic(name, s[[3]string{"n", "A", ""}]); got != want {
			t.Errorf("%s = %g, want %g", name, got, want)
		}
	}
}

// The alarms of the template ring for what is over their threshold, and none
// for a stack that has done nothing yet.
func TestAlarms(t *testing.T) {
	w := offline(t)
	rings := func() string {
		t.Helper()
		got, err := w.alarms()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(got, " ")
	}
	if got := rings(); got != "" {
		t.Errorf("a stack that does nothing: %s", got)
	}
	w.samples.read([]byte(`{"_aws":{"CloudWatchMetrics":[{"Namespace":"bindery/bindery","Dimensions":[[]],"Metrics":[{"Name":"ConnectionsLate"},{"Name":"RunsHeld"}]}]},"ConnectionsLate":0,"RunsHeld":2}`))
	w.sample("AWS/SQS", "ApproximateNumberOfMessagesVisible", w.stack.name("WorkDeadLetters"), 1)
	w.sample("AWS/Lambda", "Errors", w.stack.name("SyncFunction"), 1)
	if got, want := rings(), "FunctionErrorsAlarm (1) HeldRunsAlarm (2) WorkDeadLettersAlarm (1)"; got != want {
		t.Errorf("rings: %s, want %s", got, want)
	}
}

// A client of SCIM that an admin has paused is answered 503 for hours, which is nobody's
// fault; what else is answered so is.
func TestAlarmOfServerErrors(t *testing.T) {
	w := offline(t)
	log, err := w.openAccessLog()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		route  string
		status int
		rings  bool
	}{
		{"ANY /scim/{client}/v2/{proxy+}", 503, false},
		{"ANY /scim/{client}/oauth/v2/{proxy+}", 503, false},
		{"GET /v1/{proxy+}", 404, false},
		{"GET /v1/{proxy+}", 200, false},
		{"GET /v1/{proxy+}", 500, true},
		{"POST /console/{proxy+}", 502, true},
	} {
		w.samples = samples{}
		log.write(w, tt.route, tt.status)
		got, err := w.alarms()
		if err != nil || len(w.faults) > 0 {
			t.Fatal(err, w.faults)
		}
		if rings := slices.Contains(got, "ServerErrorsAlarm (1)"); rings != tt.rings {
			t.Errorf("%d of %s: rings is %t", tt.status, tt.route, rings)
		}
	}
	for _, pattern := range []string{``, `{ $.status = 5* }`, `{ $.a = "b" || $.c = "d" }`, `$.a = "b"`} {
		if _, err := termsOf(pattern); err == nil {
			t.Errorf("%q is read", pattern)
		}
	}
}
