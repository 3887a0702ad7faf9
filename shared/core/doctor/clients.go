package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Clients looks at the clients that push people and groups by SCIM. It reads their records
// alone, so there is nothing to wait for, and no report is kept.
type Clients struct {
	Records     scimClients
	Connections everyConnection
	Runs        heldRuns
	Now         func() time.Time // nil means time.Now
}

// ClientsOf looks at the clients of a store.
func ClientsOf(s *store.Store, now func() time.Time) *Clients {
	return &Clients{Records: s.ScimClients, Connections: s.Connections, Runs: s.Runs, Now: now}
}

type scimClients interface {
	ListScimClients(ctx context.Context, after directory.ScimClientID, limit int) ([]directory.ScimClient, directory.ScimClientID, error)
	ScimTokens(ctx context.Context, c directory.ScimClientID) ([]directory.ScimToken, error)
	ScimTally(ctx context.Context, c directory.ScimClientID) (directory.ScimTally, error)
	FindScimRequests(ctx context.Context, c directory.ScimClientID, keep func(*directory.ScimRequest) bool, cursor string, limit int) ([]directory.ScimRequest, string, error)
}

// JudgedClient is a client with what was found about it.
type JudgedClient struct {
	ID       directory.ScimClientID
	Name     string
	Findings []Finding
}

// ClientFacts are what is known of a client.
type ClientFacts struct {
	Now    time.Time
	Client directory.ScimClient
	Tokens []directory.ScimToken
	// Requests are the last ones of refusedWithin, the newest first, and More says that
	// there were others before them.
	Requests []directory.ScimRequest
	More     bool
}

const (
	// refusedWithin is how far back requests are looked at, and mostRequests how many.
	refusedWithin = 24 * time.Hour
	mostRequests  = 200
	// firstWithin is how long a new client may take for its first request.
	firstWithin = 24 * time.Hour
	// tokenSoon and tokenVerySoon are how long before its end a token is told of. Identity
	// providers give up on a connection whose token has ended (Entra's quarantine), and to
	// make a token and put it there takes two people in many houses.
	tokenSoon     = 30 * 24 * time.Hour
	tokenVerySoon = 7 * 24 * time.Hour
	// allRefused is how many requests there must be to say that every one is refused.
	allRefused = 3
	// mostClients is how many clients All looks at, and clientsAtOnce how many at a time.
	mostClients   = 100
	clientsAtOnce = 8
)

// All looks at the clients, the oldest hundred of them, beside each other.
func (c *Clients) All(ctx context.Context) ([]JudgedClient, error) {
	list, _, err := c.Records.ListScimClients(ctx, "", mostClients)
	if err != nil {
		return nil, err
	}
	judged := make([]JudgedClient, len(list))
	looks, ctx := errgroup.WithContext(ctx)
	looks.SetLimit(clientsAtOnce)
	for i := range list {
		looks.Go(func() (err error) {
			judged[i] = JudgedClient{ID: list[i].ID, Name: list[i].Name}
			judged[i].Findings, err = c.Of(ctx, &list[i])
			return err
		})
	}
	return judged, looks.Wait()
}

// Of looks at a client: the gravest finding first.
func (c *Clients) Of(ctx context.Context, client *directory.ScimClient) ([]Finding, error) {
	f := ClientFacts{Client: *client, Now: time.Now()}
	if c.Now != nil {
		f.Now = c.Now()
	}
	var err error
	if f.Tokens, err = c.Records.ScimTokens(ctx, client.ID); err != nil {
		return nil, err
	}
	requests, next, err := c.Records.FindScimRequests(ctx, client.ID, nil, "", mostRequests)
	if err != nil {
		return nil, err
	}
	f.Requests = slices.DeleteFunc(requests, func(r directory.ScimRequest) bool { return f.Now.Sub(r.At) > refusedWithin })
	f.More = next != "" && len(f.Requests) == mostRequests
	return JudgeClient(&f), nil
}

// JudgeClient turns what is known of a client into findings, the gravest first. A client
// that is paused has this one alone: an admin has stopped it, and what it cannot send now
// says nothing.
func JudgeClient(f *ClientFacts) []Finding {
	if f.Client.Paused {
		return []Finding{{Code: directory.CodeScimClientPaused, Values: values("on", f.lastDay()), Severity: Warning, Since: f.Client.Updated, Evidence: "The client is paused: its requests are answered with 503." + f.lastHeard(),
			Consequence: "Nobody who joins, changes or leaves there reaches the directory, and its identity provider gives up after some days (Entra: quarantine).",
			Next:        "Let the client go on when what it was paused for is mended."}}
	}
	list := slices.Concat(f.silent(), f.tokens(), f.refused())
	sortFindings(list)
	return list
}

// lastHeard is a sentence about the last request.
func (f *ClientFacts) lastHeard() string {
	last := f.lastDay()
	if last == "" {
		return " It has never sent anything."
	}
	return " Its last request was on " + last + "."
}

// lastDay is the day of the last request, "" before the first.
func (f *ClientFacts) lastDay() string {
	if f.Client.LastSeen.IsZero() {
		return ""
	}
	return day(f.Client.LastSeen)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func (f *ClientFacts) silent() []Finding {
	c := &f.Client
	if c.LastSeen.IsZero() {
		if f.Now.Sub(c.Created) < firstWithin {
			return nil
		}
		return []Finding{{Code: directory.CodeScimClientWaiting, Values: values("on", day(c.Created)), Severity: Warning, Since: c.Created, Evidence: "The client was set up on " + day(c.Created) + " and has sent nothing yet.",
			Consequence: "Nobody reaches the directory through it.", Next: "Finish its set-up at the identity provider, with the address and a token of the client; or delete the client."}}
	}
	if c.SilentDays == 0 || f.Now.Sub(c.LastSeen) < time.Duration(c.SilentDays)*24*time.Hour {
		return nil
	}
	return []Finding{{Code: directory.CodeScimClientSilent, Values: values("on", day(c.LastSeen)), Severity: Warning, Since: c.LastSeen, Evidence: "The client has sent nothing since " + day(c.LastSeen) + ".",
		Consequence: "If its identity provider has switched it off, or cannot get through, people who leave keep their access.",
		Next:        "Look at the provisioning page of the identity provider. If so long a silence is usual for it, set the client's silentDays higher, or to 0."}}
}

// tokens are the findings about the client's own tokens. Whoever comes with tokens of the
// API's issuer alone has none.
func (f *ClientFacts) tokens() []Finding {
	if len(f.Tokens) == 0 {
		return nil
	}
	alive := slices.DeleteFunc(slices.Clone(f.Tokens), func(t directory.ScimToken) bool { return !t.Alive(f.Now) })
	inUse, there := directory.ScimTokenInUse(alive, f.Now)
	if !there {
		if slices.ContainsFunc(f.Requests, func(r directory.ScimRequest) bool { return r.TokenID == "" }) {
			return nil
		}
		return []Finding{{Code: directory.CodeScimTokenEnded, Values: values("on", f.lastDay()), Severity: Critical, Since: lastEnd(f.Tokens), Evidence: "All tokens of the client have expired or were revoked." + f.lastHeard(),
			Consequence: "Whatever it sends is refused with 401: nobody who joins, changes or leaves there reaches the directory.",
			Next:        "Make a token of the client and put it into the identity provider; or delete the client."}}
	}
	left := inUse.Expires.Sub(f.Now)
	if left > tokenSoon {
		return nil
	}
	is := Finding{Code: directory.CodeScimTokenEnding, Values: values("ends", day(inUse.Expires)), Severity: Warning, Since: inUse.Expires.Add(-tokenSoon), Subject: string(inUse.ID), Evidence: "The token that the client uses ends on " + day(inUse.Expires) + ".",
		Consequence: "From then on whatever the client sends is refused with 401.", Next: "Make another token of the client, put it into the identity provider, and revoke this one when the new one is used."}
	if left <= tokenVerySoon {
		is.Severity = Critical
	}
	if slices.ContainsFunc(alive, func(t directory.ScimToken) bool { return t.Expires.Sub(f.Now) > tokenSoon }) {
		is.Variant, is.Next = directory.VariantUnused, "The next token has been made and is not used yet: put it into the identity provider. If it is lost, revoke it and make another one."
	}
	return []Finding{is}
}

// lastEnd is when the last of some tokens ended that are not alive any more.
func lastEnd(tokens []directory.ScimToken) time.Time {
	var last time.Time
	for i := range tokens {
		end := tokens[i].Expires
		if r := tokens[i].Revoked; r != nil && r.Before(end) {
			end = *r
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// refused is the finding about what was refused lately.
func (f *ClientFacts) refused() []Finding {
	type reason struct {
		status       int
		kind, detail string
	}
	var last time.Time
	count, users, all, bad, passing := map[reason]int{}, map[directory.UserID]bool{}, 0, 0, 0
	for i := range f.Requests {
		r := &f.Requests[i]
		if passes(r) {
			passing++
			continue
		}
		all++
		if r.Status < http.StatusBadRequest {
			continue
		}
		if bad++; bad == 1 {
			last = r.At
		}
		count[reason{r.Status, r.ScimType, r.Detail}]++
		if r.UserID != "" {
			users[r.UserID] = true
		}
	}
	if bad == 0 {
		return nil
	}
	most := slices.MaxFunc(slices.Collect(maps.Keys(count)), func(a, b reason) int {
		return cmp.Or(cmp.Compare(count[a], count[b]), cmp.Compare(b.status, a.status), strings.Compare(b.kind, a.kind), strings.Compare(b.detail, a.detail))
	})
	is := Finding{Code: directory.CodeScimRequestsRefused, Severity: Warning, Since: last, Users: len(users),
		Consequence: "What they said has not reached the directory. Okta shows such requests as tasks of its admin; others repeat them, ever more rarely.",
		Next:        "Look at the client's refused requests, on its page in the console or by GET /v1/scim-clients/{id}/requests, mend what they tell at the identity provider, and have it send them again."}
	times := "requests of the last 24 hours"
	if f.More {
		is.Variant, times = directory.VariantNewest, "requests, the newest that there are,"
	}
	often := "most often with"
	if len(count) == bad && bad > 1 {
		often = "each for another reason, as"
	}
	answer := strings.TrimSpace(fmt.Sprint(most.status, " ", most.kind))
	is.Values = values("refused", bad, "requests", all, "often", count[most], "answer", answer, "why", most.detail)
	is.Evidence = fmt.Sprintf("%d of %d %s were refused, %s %s: %s", bad, all, times, often, answer, cmp.Or(most.detail, "no reason was given."))
	if passing > 0 {
		is.Values["passing"] = passing
		is.Evidence += fmt.Sprintf(" (%d more were refused and are not counted, since nothing is to be mended by that: they came too fast, while the client was paused, or asked for somebody who is not there.)", passing)
	}
	if bad == all && all >= allRefused {
		is.Severity = Critical
	}
	return []Finding{is}
}

// passes reports whether a request tells nothing about what is wrong: somebody was looked
// for, or deleted, who is not there, somebody else was faster, or the client was too fast or paused.
func passes(r *directory.ScimRequest) bool {
	switch r.Status {
	case http.StatusNotFound:
		return r.Method == http.MethodGet || r.Method == http.MethodDelete
	case http.StatusPreconditionFailed, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}
