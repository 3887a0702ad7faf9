package store

import (
	"context"

	"bindery/shared/directory"
)

// Notifications are what others have been told.
type Notifications struct{ db *db }

// NotificationState is what others have been told of a connection, so that they are told once.
type NotificationState struct {
	Needs string            `json:"needs,omitempty"` // since when it needs authorisation
	Stale string            `json:"stale,omitempty"` // the last success before it went stale
	Held  []directory.RunID `json:"held,omitempty"`  // its runs that are held
	Week  string            `json:"week,omitempty"`  // of all connections: the week summed up last
	// TokensOn is, of all connections, on which day tokens of SCIM clients were looked at
	// last, and Tokens which of them it has been told of that they end.
	TokensOn string   `json:"tokensOn,omitempty"`
	Tokens   []string `json:"tokens,omitempty"`
	// Loosened is when its settings last became looser, Proposals what waits.
	Loosened  string   `json:"loosened,omitempty"`
	Proposals []string `json:"proposals,omitempty"`
	Domains   []string `json:"domains,omitempty"` // those lost, with the time, and those offered
	Version   int64    `json:"-"`
}

// NotificationState reads what others have been told of a connection, with "" of
// all together; the zero value at first.
func (s *Notifications) NotificationState(ctx context.Context, c directory.ConnectionID) (NotificationState, error) {
	var t NotificationState
	var err error
	t.Version, err = s.db.load(ctx, notificationKey(c), &t)
	return t, fail("notification state", err)
}

// SaveNotificationState stores it at the version read. ErrStale when another was
// faster.
func (s *Notifications) SaveNotificationState(ctx context.Context, c directory.ConnectionID, t *NotificationState) error {
	if err := s.db.replace(ctx, notificationKey(c), t.Version, t); err != nil {
		return fail("save notification state", err)
	}
	t.Version++
	return nil
}
