package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"bindery/shared/directory"
)

const (
	// maxPhoto bounds a photo; Microsoft takes none of 4 MB.
	maxPhoto = 4 << 20
	// photoSize is the size that is asked for first, "height x width".
	photoSize = "240x240"
)

// photoCodes are what the service that keeps photos says when it has none: of
// the account, or since that has no mailbox. An account that is not there has
// another code (directory.CodeAccountNotFound), and a 404 without any says nothing.
var photoCodes = []string{
	"imagenotfound", "erroritemnotfound", "itemnotfound", "resourcenotfound", "mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi",
	"errornonexistentmailbox",
}

// PhotoETag returns what Microsoft calls the present state of an account's
// photo, or "" when there is none. It is throttled apart from everything else:
// a *ThrottledError here concerns photos only. Errors as those of List; a
// *directory.Problem with directory.CodeAccountNotFound when there is no such account.
func (t *Tenant) PhotoETag(ctx context.Context, id directory.AccountID) (string, error) {
	body, err := t.photo(ctx, id, "/photo", "application/json", maxRefusal)
	if err != nil || body == nil {
		return "", err
	}
	var meta struct {
		ETag string `json:"@odata.mediaEtag"`
	}
	if json.Unmarshal(body, &meta) != nil {
		return "", fmt.Errorf("%w: %w", directory.ErrUnavailable, errJSON)
	}
	if meta.ETag == "" {
		return "", fmt.Errorf("%w: a photo without a media etag", directory.ErrUnavailable)
	}
	return clip(meta.ETag, 256), nil
}

// PhotoFile returns an account's photo: 240 by 240 pixels, or as it is when
// Microsoft has it in smaller sizes only; nil when there is none. It is not
// looked into, and has at most 4 MB: larger ones are directory.ErrTooLarge.
func (t *Tenant) PhotoFile(ctx context.Context, id directory.AccountID) ([]byte, error) {
	data, err := t.photo(ctx, id, "/photos/"+photoSize+"/$value", "image/*", maxPhoto)
	if err != nil || data != nil {
		return data, err
	}
	return t.photo(ctx, id, "/photo/$value", "image/*", maxPhoto)
}

// photo reads something of an account's photo; nil when there is none.
func (t *Tenant) photo(ctx context.Context, id directory.AccountID, path, accept string, most int64) ([]byte, error) {
	if !validID(string(id)) {
		return nil, fmt.Errorf("%w: %q is not the ID of an account", directory.ErrInvalid, clip(string(id), 64))
	}
	u, err := t.graph.at("/users/" + url.PathEscape(string(id)) + path)
	if err != nil {
		return nil, err
	}
	ctx, call, cancel := t.begin(ctx, priorityLow)
	defer cancel()
	call.most = most + 1 // a body that fills the bound is reported, not cut
	body, err := t.graph.send(ctx, request{method: abs.GET, url: u, header: map[string]string{"Accept": accept}})
	r, refused := errors.AsType[*refusal](err)
	switch {
	case refused && r.status == http.StatusNotFound && noPhoto(r):
		return nil, nil
	case errors.Is(err, errTooLarge) || int64(len(body)) > most:
		return nil, fmt.Errorf("%w: the photo has more than %d bytes", directory.ErrTooLarge, most)
	case err != nil:
		return nil, t.graph.explain(ctx, err, false)
	case len(body) == 0:
		return nil, fmt.Errorf("%w: an empty answer", directory.ErrUnavailable)
	}
	return body, nil
}

func noPhoto(r *refusal) bool {
	return slices.Contains(photoCodes, strings.ToLower(readError(r.status, r.header, r.body).code))
}
