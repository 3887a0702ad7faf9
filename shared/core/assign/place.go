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

// AccountPlace is a place in the listing of a tenant's accounts: a page, by
// the link that Microsoft gave, and how many of its accounts are dealt with.
type AccountPlace struct {
	Link   string `json:"link,omitempty"`
	Offset int    `json:"offset,omitempty"`
	// Paging proves that the listing comes forward.
	Paging directory.Paging `json:"paging,omitzero"`
}

// Next is the place behind a page that is dealt with, by the IDs of its accounts
// and its link onward. Its error says that the
// listing turns in a circle.
func (p *AccountPlace) Next(ids []string, link string) (AccountPlace, error) {
	behind := AccountPlace{Link: link, Paging: p.Paging}
	if _, err := behind.Paging.Add("the tenant's accounts", ids, link); err != nil {
		return behind, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return behind, nil
}

// Restart is the beginning of the listing, after a link that is not known any more.
// Its error says that it has begun anew too often.
func (p *AccountPlace) Restart() (AccountPlace, error) {
	paging := p.Paging
	if err := paging.Restart("the tenant's accounts", "a link was not known any more"); err != nil {
		return AccountPlace{}, fmt.Errorf("%w: %w", directory.ErrUnavailable, err)
	}
	return AccountPlace{Paging: paging}, nil
}

// String makes the place an opaque cursor.
func (p AccountPlace) String() string {
	data, err := json.Marshal(p)
	if err != nil {
		return "" // a text and a number always marshal
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// parseAccountPlace accepts only links to a further page of the list of
// users: the host is the adapter's to check, but with our tokens a caller must
// not be able to read anything else there.
func parseAccountPlace(s string) (AccountPlace, error) {
	var p AccountPlace
	if s == "" {
		return p, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(data, &p) != nil || p.Offset < 0 {
		return p, badCursor()
	}
	if p.Link == "" {
		return p, nil
	}
	u, err := url.Parse(p.Link)
	if err != nil || !strings.HasSuffix(u.Path, "/users") || strings.Contains(u.Path, "..") || u.User != nil || u.Fragment != "" {
		return p, badCursor()
	}
	for name := range u.Query() {
		if !slices.Contains([]string{"$select", "$top", "$skiptoken", "$count"}, strings.ToLower(name)) {
			return p, badCursor()
		}
	}
	return p, nil
}

func badCursor() error {
	return directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The value of next was not given out by this API, or has expired.",
		"Start the listing without next.")
}
