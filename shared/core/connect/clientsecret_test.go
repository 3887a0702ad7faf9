package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

func TestClientSecret(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]struct {
		secret, ends, err string
	}{
		"abc8Q~x": {"abc8Q~x", "", ""},
		`{"clientSecret":" abc8Q~x\n","ends":"2027-01-31"}`:        {"abc8Q~x", "2027-01-31T00:00:00Z", ""},
		`{"clientSecret":"abc8Q~x","ends":"2027-01-31T12:30:00Z"}`: {"abc8Q~x", "2027-01-31T12:30:00Z", ""},
		`{"clientSecret":"abc8Q~x","keyId":"another member"}`:      {"abc8Q~x", "", ""},
		`{"clientSecret":"abc8Q~x","ends":"soon"}`:                 {"abc8Q~x", "", "must be a day"},
		`{"secret":"abc8Q~x"}`:                                     {"", "", "no text"},
		`{"clientSecret":"abc8Q~x"`:                                {"", "", "no text"},
	} {
		c := &ClientSecret{Stored: func(context.Context) (directory.Secret, error) { return directory.NewSecret(stored), nil }}
		secret, err := c.Read(t.Context())
		if secret.Reveal() != want.secret || (err == nil) != (want.secret != "") {
			t.Errorf("client secret = %v, %v, want %d characters", secret, err, len(want.secret))
		}
		ends, err := c.Ends(t.Context())
		got := ""
		if !ends.IsZero() {
			got = ends.Format(time.RFC3339)
		}
		if got != want.ends || (err != nil) != (want.err != "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("ends = %q, %v, want %q, %q", got, err, want.ends, want.err)
		}
		if err != nil && strings.Contains(fmt.Sprint(err), "abc8Q") {
			t.Error("an error repeats the secret")
		}
	}
}

func TestClientSecretDaysLeft(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 30, 12, 0, 0, 0, time.UTC)
	for stored, want := range map[string]struct {
		days  int
		known bool
	}{
		"abc8Q~x": {0, false},
		`{"clientSecret":"abc8Q~x","ends":"2027-02-02"}`:           {2, true},
		`{"clientSecret":"abc8Q~x","ends":"2027-01-30T13:00:00Z"}`: {0, true},
		`{"clientSecret":"abc8Q~x","ends":"2026-01-01"}`:           {0, true},
	} {
		c := &ClientSecret{Stored: func(context.Context) (directory.Secret, error) { return directory.NewSecret(stored), nil }}
		if days, known, err := c.DaysLeft(t.Context(), now); err != nil || days != want.days || known != want.known {
			t.Errorf("%s: %d days, %v, %v, want %+v", stored, days, known, err, want)
		}
	}
	fault := errors.New("no answer")
	c := &ClientSecret{Stored: func(context.Context) (directory.Secret, error) { return directory.Secret{}, fault }}
	if _, known, err := c.DaysLeft(t.Context(), now); known || !errors.Is(err, fault) {
		t.Errorf("without an answer: %v, %v", known, err)
	}
}
