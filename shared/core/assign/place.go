package assign

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// ListPlace is a place in a listing of a tenant, of its accounts or its groups: a page,
// by the link that Microsoft gave, and how much of it is dealt with.
type ListPlace struct {
	Link   string `json:"link,omitempty"`
	Offset int    `json:"offset,omitempty"`
	// Paging proves that the listing comes forward.
	Paging directory.Paging `json:"paging,omitzero"`
}

// Next is the place behind a page that is dealt with, by the IDs of what is on it and
// its link onward. what is listed is for people. Its error says that the listing turns
// in a circle.
func (p *ListPlace) Next(what string, ids []string, link string) (ListPlace, error) {
	behind := ListPlace{Link: link, Paging: p.Paging}
	if _, err := behind.Paging.Add(what, ids, link); err != nil {
		return behind, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return behind, nil
}

// Restart is the beginning of the listing, after a link that is not known any more.
// Its error says that it has begun anew too often.
func (p *ListPlace) Restart() (ListPlace, error) {
	paging := p.Paging
	if err := paging.Restart(Accounts, "a link was not known any more"); err != nil {
		return ListPlace{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return ListPlace{Paging: paging}, nil
}

// Accounts is what a listing of accounts is called in errors.
const Accounts = "the tenant's accounts"

// String makes the place an opaque cursor.
func (p ListPlace) String() string {
	data, err := json.Marshal(p)
	if err != nil {
		return "" // a text and a number always marshal
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// parseAccountPlace reads a place in the list of users.
func parseAccountPlace(s string) (ListPlace, error) {
	return ParsePlace(s, "/users", "$select", "$top", "$skiptoken", "$count")
}

// ParsePlace reads a place that a caller gives back. It accepts only links to a further
// page of one collection, with some options of the query: the host is the adapter's to
// check, but with our tokens a caller must not be able to read anything else there.
func ParsePlace(s, collection string, options ...string) (ListPlace, error) {
	var p ListPlace
	if s == "" {
		return p, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(data, &p) != nil || p.Offset < 0 {
		return p, BadCursor()
	}
	if p.Link == "" {
		return p, nil
	}
	u, err := url.Parse(p.Link)
	if err != nil || !strings.HasSuffix(u.Path, collection) || strings.Contains(u.Path, "..") || u.User != nil || u.Fragment != "" {
		return p, BadCursor()
	}
	for name := range u.Query() {
		if !slices.Contains(options, strings.ToLower(name)) {
			return p, BadCursor()
		}
	}
	return p, nil
}

// BadCursor refuses a place that is none.
func BadCursor() error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The value of next was not given out by this API, or has expired.",
		"Start the listing without next.")
}
