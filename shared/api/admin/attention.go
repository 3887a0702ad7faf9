package admin

import (
	"context"
	"net/http"

	"bindery/shared/api/endpoint"
	"bindery/shared/core/attention"
	"bindery/shared/directory"
)

// Attention says what needs somebody; *attention.Service does.
type Attention interface {
	List(ctx context.Context, q attention.Query, cursor string, limit int) (attention.Page, error)
}

// AttentionPage is what needs somebody at some of the connections.
type AttentionPage struct {
	Items       []attention.Item          `json:"items" doc:"The most urgent first, of these the oldest."`
	Counts      map[attention.Urgency]int `json:"counts" doc:"Items by urgency: of decide, broken, soon and waiting."`
	Connections int                       `json:"connections" doc:"How many connections were looked at."`
	Next        string                    `json:"next,omitempty" doc:"There are more connections: give it as the parameter next for those."`

	encoded []byte // the page as JSON, when it was measured already
}

// MarshalJSON writes a page that was measured as it was measured.
func (p AttentionPage) MarshalJSON() ([]byte, error) {
	type plain AttentionPage
	if p.encoded != nil {
		return p.encoded, nil
	}
	return endpoint.JSON(plain(p))
}

func (a *API) attention() {
	register(a, operation{id: "listAttention", method: http.MethodGet, path: "/v1/attention", scope: ScopeRead,
		summary: "List what needs somebody: decisions, what is broken, what will break, who waits",
		more: "A page is of up to limit connections. Read from what is on record: problems as the last plan left them, findings as the doctor wrote them, and of one problem up to 100 who have it are counted. " +
			"With urgency=decide it costs least, as a mark on every page does.", also: answers{http.StatusNotModified: nil}}, a.listAttention)
}

func (a *API) listAttention(ctx context.Context, _ Caller, in *struct {
	From
	Limit        int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many connections at most"`
	ConnectionID string `query:"connectionId" maxLength:"64" pattern:"^[!-~]*$" doc:"Only this connection"`
	Urgency      string `query:"urgency" enum:"decide,broken,soon,waiting" doc:"Only items of this urgency"`
	IfNone
}) (*conditional[AttentionPage], error) {
	q := attention.Query{ConnectionID: directory.ConnectionID(in.ConnectionID), Urgency: attention.Urgency(in.Urgency)}
	var page AttentionPage
	data, err := a.shorten(in.Limit, func(limit int) (int, []byte, error) {
		p, err := a.Attention.List(ctx, q, in.Next, limit)
		if err != nil {
			return 0, nil, err
		}
		page = AttentionPage{Items: orEmpty(p.Items), Counts: map[attention.Urgency]int{}, Connections: p.Connections}
		if page.Next, err = listingOf(ctx).seal(p.Next); err != nil {
			return 0, nil, err
		}
		for _, u := range attention.Urgencies {
			page.Counts[u] = 0
		}
		for i := range page.Items {
			page.Counts[page.Items[i].Urgency]++
		}
		data, err := endpoint.JSON(page)
		return p.Connections, data, err
	})
	if err != nil {
		return nil, err
	}
	page.encoded = data
	return conditionally(in.IfNone, page)
}
