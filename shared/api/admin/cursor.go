package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"bindery/shared/directory"
)

// maxNext is how long a next may be. API Gateway takes a line of request and
// headers of 10,240 bytes in all.
const maxNext = 8192

// listing is which list a request reads: its operation, its path and its filters.
// It rides on the request's context, so that a handler need not say it.
type listing struct {
	operation string
	url       *url.URL
}

type listingKey struct{}

func listingOf(ctx context.Context) listing {
	l, _ := ctx.Value(listingKey{}).(listing)
	return l
}

// digest tells lists apart. Neither how many items a page has nor where it begins
// makes another list; nor does a parameter that is empty.
func (l listing) digest(place string) []byte {
	filters := url.Values{}
	for name, values := range l.url.Query() {
		if name != "limit" && name != "next" && strings.Join(values, "") != "" {
			filters[name] = values
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", l.operation, l.url.Path, filters.Encode(), place))
	return sum[:cursorDigest]
}

const cursorDigest = 9

// seal makes the next of a list's page of a place that the core gave: opaque, and
// good for this list only. It is no secret and no signature: whoever makes one up
// gets no further than a place in a list that the token may read, since the core
// takes no place outside of the list that it was asked for.
func (l listing) seal(place string) (string, error) {
	if place == "" {
		return "", nil
	}
	next := base64.RawURLEncoding.EncodeToString(append(l.digest(place), place...))
	if len(next) > maxNext {
		return "", fmt.Errorf("the place of the next page has %d bytes, at most %d can be given out", len(next), maxNext)
	}
	return next, nil
}

// open returns the place of a next; a refusal when it is not one of this list.
func (l listing) open(next string) (string, error) {
	if next == "" {
		return "", nil
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(next)
	if err != nil || len(data) <= cursorDigest || string(l.digest(string(data[cursorDigest:]))) != string(data[:cursorDigest]) {
		return "", directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor,
			"The value of next was not given out by this API for this list with these filters.", "Start the list without next, and keep its filters as they are from page to page.")
	}
	return string(data[cursorDigest:]), nil
}

// link is the header Link of a page whose form has no room for a next.
func (l listing) link(next string) string {
	q := l.url.Query()
	q.Set("next", next)
	return "<" + (&url.URL{Path: l.url.Path}).EscapedPath() + "?" + q.Encode() + `>; rel="next"`
}

// paged is an input with a place in a list. register opens it before the handler
// runs; what the handler gives as the next page is sealed by listOf or by listing.
type paged interface{ place() *string }

// From is where a page begins.
type From struct {
	Next string `query:"next" maxLength:"8192" pattern:"^[A-Za-z0-9_-]*$" doc:"The next of the page before, with the same filters"`
}

func (f *From) place() *string { return &f.Next }
