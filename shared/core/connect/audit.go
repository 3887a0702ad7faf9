package connect

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bindery/shared/directory"
)

// auditEvent is the sign-in as the store records it beside what it changes.
func (g *verifiedSignIn) auditEvent() directory.AuditEvent {
	return directory.AuditEvent{Kind: directory.AuditSignIn, By: directory.ByMicrosoft(g.admin.UserPrincipalName), AccountID: g.admin.ObjectID,
		Detail: fmt.Sprintf("Signed in to %s (%s) with the roles %s; asked for by %s.",
			g.tenant.DisplayName, g.tenant.ID, strings.Join(g.admin.Roles, ", "), g.state.RequestedBy)}
}

// refusedSignIn records a sign-in that came to nothing, and notes it on its connection,
// where whoever asked for it sees why. Only one who has a state of ours gets here, and each
// state is good for one; who it was is not known. The note is of our own words alone, and
// changes nothing of what the connection does.
func (s *Service) refusedSignIn(ctx context.Context, id directory.ConnectionID, page *Page) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	act := directory.AuditEvent{Kind: directory.AuditRefuseSignIn, By: directory.BySystem, ConnectionID: id,
		Detail: fmt.Sprintf("A sign-in was refused (%s): %s", strings.Join(append([]string{page.Code}, factValues(page)...), ", "), page.Message)}
	_, err := s.stores.Connections.ModifyConnection(ctx, act, id, func(c *directory.Connection) error {
		if page.Code == directory.CodeOutdated {
			return errUnchanged // of a time before: nobody waits for it
		}
		c.RefusedSignIn = &directory.RefusedSignIn{At: s.now(), Code: page.Code, Message: page.Message, Next: page.Next}
		return nil
	})
	if err != nil { // the act is kept all the same
		err = s.stores.Events.RecordAuditEvent(ctx, act)
	}
	if err != nil {
		s.cfg.Log.Warn("a refused sign-in was not recorded", "connectionId", string(id), "error", err)
	}
}

// factValues are what Microsoft says of a refusal: its code and ids.
func factValues(page *Page) []string {
	var list []string
	for _, f := range page.Facts {
		if f.Name == factCode || f.Name == factTrace || f.Name == factCorrelation {
			list = append(list, f.Value)
		}
	}
	return list
}
