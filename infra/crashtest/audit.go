package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"bindery/shared/directory"
)

// auditor looks at every write on its way to Microsoft: its change must stand in
// the table, not done yet, with the values that are sent.
type auditor struct {
	world *World // nil: nothing is looked at
	wrong []error
}

type request struct {
	Method string                     `json:"method"`
	URL    string                     `json:"url"`
	Body   map[string]json.RawMessage `json:"body"`
}

func (a *auditor) look(r *http.Request) error {
	if a == nil || a.world == nil || r.Body == nil {
		return nil
	}
	raw, err := io.ReadAll(r.Body)
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	var batch struct{ Requests []request }
	if err := json.Unmarshal(raw, &batch); err != nil {
		return err
	}
	var j *journal
	for i := range batch.Requests {
		q := &batch.Requests[i]
		if q.Method == "GET" {
			continue
		}
		if j == nil {
			if j, err = a.world.readJournal(context.WithoutCancel(r.Context())); err != nil {
				return err
			}
		}
		if !a.recorded(j, q) {
			a.wrong = append(a.wrong, fmt.Errorf("sent without a change that stands in the table: %s %s", q.Method, q.URL))
		}
	}
	return nil
}

func (a *auditor) recorded(j *journal, q *request) bool {
	path := strings.Split(strings.Trim(q.URL, "/"), "/")
	if fits, is := a.related(j, q); is {
		return fits
	}
	for i := range j.changes {
		c := &j.changes[i]
		if c.State != directory.ChangePlanned && c.State != directory.ChangeApproved {
			continue
		}
		id := c.AccountID
		if id == "" {
			if b, err := a.world.store.Bindings.Binding(context.Background(), c.UserID); err == nil {
				id = b.AccountID
			}
		}
		last := path[len(path)-1]
		var fits bool
		switch c.Effect {
		case directory.EffectCreate:
			fits = q.Method == "POST" && len(path) == 1 && sends(c, q)
		case directory.EffectRevoke:
			fits = last == "revokeSignInSessions" && path[1] == string(id)
		case directory.EffectRestore:
			fits = last == "restore" && path[2] == string(id)
		default:
			fits = q.Method == "PATCH" && path[1] == string(id) && sends(c, q)
		}
		if fits {
			return true
		}
	}
	return false
}

// sends reports whether a request carries exactly the values of a change; a
// creation has a password as well.
func sends(c *directory.Change, q *request) bool {
	body := map[string]string{}
	for name, raw := range q.Body {
		switch name {
		case "passwordProfile", "onPremisesImmutableId":
		case "onPremisesExtensionAttributes":
			var ext map[string]json.RawMessage
			if json.Unmarshal(raw, &ext) != nil {
				return false
			}
			for n, x := range ext {
				body[n] = string(x)
			}
		default:
			body[name] = string(raw)
		}
	}
	if len(body) != len(c.Properties) {
		return false
	}
	for _, p := range c.Properties {
		if body[p.Name] != text(p.After) {
			return false
		}
	}
	return true
}
