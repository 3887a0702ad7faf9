package identity

import (
	"encoding/json"
	"fmt"
)

// Kinds of the durable records of the identity platform.
const (
	keysKind    = "signingKeys"
	refreshKind = "refreshToken"
)

// keepRefresh stores a refresh token and forgets those that are long dead.
func (s *Platform) keepRefresh(t refreshToken) error {
	if err := s.state.SaveRecord(refreshKind, t.Token, t); err != nil {
		return err
	}
	for _, dead := range s.memory.putRefresh(t, s.state.Now()) {
		if err := s.state.SaveRecord(refreshKind, dead, nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *Platform) persistKeys(keys []*signingKey) error {
	return s.state.SaveRecord(keysKind, "all", keys)
}

// load takes the durable records back when a simulator is opened.
func (s *Platform) load() error {
	if raw, ok := s.state.Records(keysKind)["all"]; ok {
		if err := json.Unmarshal(raw, &s.memory.keys); err != nil {
			return fmt.Errorf("read the signing keys: %w", err)
		}
		for _, k := range s.memory.keys {
			if err := k.parse(); err != nil {
				return fmt.Errorf("read the signing key %s: %w", k.ID, err)
			}
		}
	}
	for _, raw := range s.state.Records(refreshKind) {
		var t refreshToken
		if err := json.Unmarshal(raw, &t); err != nil {
			return fmt.Errorf("read a refresh token: %w", err)
		}
		s.memory.putRefresh(t, s.state.Now())
	}
	return nil
}
