package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bindery/shared/directory"
)

// TokenFacts are the facts of a notification of a SCIM client whose token ends.
type TokenFacts struct {
	ScimClientID directory.ScimClientID `json:"scimClientId"`
	ScimClient   string                 `json:"scimClient"`
	TokenID      directory.ScimTokenID  `json:"tokenId"`
	Expires      time.Time              `json:"expires"`
}

// tokenNotices are how many days before its end a token is told of. An identity provider
// whose token has ended gives up (Entra's quarantine), and nobody looks at its page before.
var tokenNotices = []int{30, 7}

// mostClients is how many clients of SCIM, the oldest, have their tokens looked at.
const mostClients = 100

// NotifyTokens tells that the token which a client of SCIM uses ends soon: once 30 days
// before, and once 7. It looks once a day.
func (w *Watch) NotifyTokens(ctx context.Context) error {
	now := w.now().UTC()
	day := now.Format(time.DateOnly)
	told, err := w.Stores.Notifications.NotificationState(ctx, "")
	if err != nil || told.TokensOn == day {
		return err
	}
	clients, _, err := w.Stores.Clients.ListScimClients(ctx, "", mostClients)
	if err != nil {
		return err
	}
	var known []string
	var notices []directory.Notification
	for i := range clients {
		tokens, err := w.Stores.Clients.ScimTokens(ctx, clients[i].ID)
		if err != nil {
			return err
		}
		t, there := directory.ScimTokenInUse(tokens, now)
		if !there {
			continue
		}
		for n, days := range tokenNotices {
			if t.Expires.Sub(now) > time.Duration(days)*24*time.Hour {
				break
			}
			key := fmt.Sprintf("token:%s:%d", t.ID, days)
			known = append(known, key)
			later := n+1 < len(tokenNotices) && t.Expires.Sub(now) <= time.Duration(tokenNotices[n+1])*24*time.Hour
			if slices.Contains(told.Tokens, key) || later { // of two that are due at once, the last
				continue
			}
			notices = append(notices, directory.Notification{
				ID: key, Type: directory.NotificationTokenEnding, At: now, Facts: TokenFacts{clients[i].ID, clients[i].Name, t.ID, t.Expires.UTC()},
				Text: fmt.Sprintf("The token that the SCIM client %q uses ends on %s; from then on whatever it sends is refused. Make another one (POST /v1/scim-clients/%s/tokens, or on its page in the console), put it into the identity provider, and revoke this one when the new one is used.",
					clients[i].Name, t.Expires.UTC().Format(time.DateOnly), clients[i].ID),
			})
		}
	}
	if len(notices) > 0 {
		if err := w.Publish.Publish(ctx, notices...); err != nil {
			return err
		}
	}
	told.TokensOn, told.Tokens = day, known
	if err := w.Stores.Notifications.SaveNotificationState(ctx, "", &told); !errors.Is(err, directory.ErrStale) {
		return err
	}
	return nil // another has looked at the same time
}
