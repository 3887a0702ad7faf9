package store

import (
	"context"
	"encoding/json"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Sessions are those of people who have signed in to the console. What a session
// holds is sealed by its owner, under a key that is not in the table.
type Sessions struct{ db *db }

// sessionBody is a session as it is stored.
type sessionBody struct {
	Sealed []byte `json:"sealed"`
}

// Session reads a sealed session with its version. ErrNotFound when there is none,
// or when its time is over.
func (s *Sessions) Session(ctx context.Context, name string) (sealed []byte, version int64, err error) {
	it, err := s.db.table.Get(ctx, sessionKey(name))
	if err != nil {
		return nil, 0, fail("session", err)
	}
	if s.db.expired(it) {
		return nil, 0, fail("session", table.ErrNotFound)
	}
	var body sessionBody
	if err := json.Unmarshal(it.Body, &body); err != nil {
		return nil, 0, fail("session", err)
	}
	return body.Sealed, it.Version, nil
}

// SaveSession stores a session over the version that was read, 0 for a new one;
// the table deletes it after expires. ErrStale when somebody else was faster.
func (s *Sessions) SaveSession(ctx context.Context, name string, sealed []byte, version int64, expires time.Time) error {
	item := table.Item{Key: sessionKey(name), Version: version + 1, Body: encode(sessionBody{sealed}), Expires: expires}
	err := s.db.table.Write(ctx, table.Write{Put: &item, If: unchanged(version)})
	if refused(err) {
		return directory.ErrStale
	}
	return fail("save session", err)
}

// EndSession deletes a session; one that is not there has ended.
func (s *Sessions) EndSession(ctx context.Context, name string) error {
	key := sessionKey(name)
	return fail("end session", s.db.table.Write(ctx, table.Write{Delete: &key}))
}

func sessionKey(name string) table.Key { return table.Key{Partition: "CS#" + name, Sort: "session"} }
