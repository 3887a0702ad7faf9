package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
)

// ClientSecret is the client secret of the Entra app, as it is stored: its bare
// text; or a JSON object {"clientSecret": "…", "ends": "2027-01-31"}, so that
// whoever stores a new one says in the same act until when it is good, and is
// warned in time.
type ClientSecret struct {
	// Stored reads the whole text.
	Stored func(ctx context.Context) (directory.Secret, error)
}

// Read returns the client secret. That its end is not said well keeps nobody from
// using it.
func (c *ClientSecret) Read(ctx context.Context) (directory.Secret, error) {
	text, err := c.Stored(ctx)
	if err != nil {
		return directory.Secret{}, err
	}
	secret, _, err := splitClientSecret(text)
	if secret.IsZero() {
		return secret, err
	}
	return secret, nil
}

// Ends returns when the client secret ends; zero when that is not said.
func (c *ClientSecret) Ends(ctx context.Context) (time.Time, error) {
	text, err := c.Stored(ctx)
	if err != nil {
		return time.Time{}, err
	}
	_, ends, err := splitClientSecret(text)
	return ends, err
}

// DaysLeft returns how many whole days the client secret is good for; false when
// that is not said.
func (c *ClientSecret) DaysLeft(ctx context.Context, now time.Time) (days int, known bool, err error) {
	ends, err := c.Ends(ctx)
	if err != nil || ends.IsZero() {
		return 0, false, err
	}
	return max(0, int(ends.Sub(now)/(24*time.Hour))), true, nil
}

// splitClientSecret returns the client secret in a stored text, and when it ends;
// zero when the text does not say. An error never repeats the text.
func splitClientSecret(stored directory.Secret) (directory.Secret, time.Time, error) {
	if !strings.HasPrefix(stored.Reveal(), "{") {
		return stored, time.Time{}, nil
	}
	var told struct {
		ClientSecret string `json:"clientSecret"`
		Ends         string `json:"ends"`
	}
	if err := json.Unmarshal([]byte(stored.Reveal()), &told); err != nil || told.ClientSecret == "" {
		return directory.Secret{}, time.Time{}, errors.New(`the client secret is stored as an object, and that has no text "clientSecret"`)
	}
	secret := directory.NewSecret(strings.TrimSpace(told.ClientSecret))
	if told.Ends == "" {
		return secret, time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if ends, err := time.Parse(form, told.Ends); err == nil {
			return secret, ends, nil
		}
	}
	return secret, time.Time{}, fmt.Errorf(`"ends" beside the client secret must be a day as 2027-01-31, or a time as 2027-01-31T12:00:00Z`)
}
