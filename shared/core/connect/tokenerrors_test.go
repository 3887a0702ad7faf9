package connect

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"bindery/shared/directory"
)

func TestClassify(t *testing.T) {
	data, err := os.ReadFile("testdata/token-errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]error{"needs-authorization": ErrNeedsAuthorization, "configuration": ErrConfiguration, "transient": ErrTransient, "loop": errLoop}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") || line == "---" {
			continue
		}
		f := strings.SplitN(line, " ", 4)
		var status int
		if _, err := fmt.Sscan(f[0], &status); err != nil || len(f) != 4 {
			t.Fatalf("line %q", line)
		}
		e := classify(atRenewal, status, []byte(f[3]))
		if !errors.Is(e.Class, classes[f[1]]) || e.Problem.Code != f[2] || e.Problem.Message == "" || e.Problem.Next == "" || e.Problem.MicrosoftStatus != status {
			t.Errorf("classify(%d, %s) = %v %+v, want %s %s", status, f[3], e.Class, e.Problem, f[1], f[2])
		}
		if strings.Contains(e.Problem.MicrosoftMessage, "Trace ID") {
			t.Errorf("classify(%d, %s) keeps the identifiers: %q", status, f[3], e.Problem.MicrosoftMessage)
		}
	}
}

func TestTokenErrorKinds(t *testing.T) {
	for _, tc := range []struct {
		class, is, not error
	}{
		{ErrNeedsAuthorization, directory.ErrUnauthorized, directory.ErrUnavailable},
		{ErrConfiguration, directory.ErrUnavailable, directory.ErrUnauthorized},
		{ErrTransient, directory.ErrUnavailable, directory.ErrUnauthorized},
		{errLoop, ErrTransient, directory.ErrUnauthorized},
	} {
		err := fmt.Errorf("wrapped: %w", &TokenError{Class: tc.class})
		if !errors.Is(err, tc.class) || !errors.Is(err, tc.is) || errors.Is(err, tc.not) {
			t.Errorf("a TokenError of class %v: want also %v and not %v", tc.class, tc.is, tc.not)
		}
	}
}

// An answer that repeats what was sent must not carry it further.
func TestClassifyHides(t *testing.T) {
	secret := directory.NewSecret("1.a-refresh-token")
	e := classify(atRenewal, 400, []byte(`{"error":"1.a-refresh-token","error_description":"The token 1.a-refresh-token is bad","trace_id":"1.a-refresh-token"}`), directory.Secret{}, secret)
	if text := fmt.Sprintf("%+v %v", e.Problem, e); strings.Contains(text, secret.Reveal()) || !strings.Contains(text, "REDACTED") {
		t.Errorf("the problem holds the secret: %s", text)
	}
}
