package admin

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/directory"
)

// Photos has the pictures of users; *people.Photos does.
type Photos interface {
	Get(ctx context.Context, id directory.UserID) (directory.Photo, error)
}

type photoOutput struct {
	Status      int
	ETag        string `header:"ETag"`
	ContentType string `header:"Content-Type"`
	// A picture is a stranger's file: whoever opens it by its address gets
	// nothing but a picture.
	Policy string `header:"Content-Security-Policy"`
	Body   []byte
}

func (a *API) photos() {
	binary := &huma.Schema{Type: "string", Format: "binary"}
	register(a, operation{id: "getUserPhoto", method: http.MethodGet, path: "/v1/users/{id}/photo", scope: ScopeRead, sources: true,
		summary: "Read a user's picture: JPEG or PNG within 240 by 240 pixels, at most 64 KB", also: answers{http.StatusNotModified: nil}}, a.getPhoto)
	op := a.huma.OpenAPI().Paths["/v1/users/{id}/photo"].Get
	op.Responses["200"].Content = map[string]*huma.MediaType{"image/jpeg": {Schema: binary}, "image/png": {Schema: binary}}
}

func (a *API) getPhoto(ctx context.Context, _ Caller, in *struct {
	UserPath
	IfNoneMatch string `header:"If-None-Match" maxLength:"2000" doc:"ETags that the caller has; 304 when the picture is one of them"`
}) (*photoOutput, error) {
	p, err := a.Photos.Get(ctx, directory.UserID(in.ID))
	if err != nil {
		return nil, err
	}
	out := &photoOutput{Status: http.StatusOK, ETag: fmt.Sprintf("%q", p.Digest), ContentType: p.Type,
		Policy: "default-src 'none'; sandbox", Body: p.Data}
	if holds(in.IfNoneMatch, out.ETag) {
		out.Status, out.Body, out.ContentType = http.StatusNotModified, nil, ""
	}
	return out, nil
}

// holds reports whether a list of ETags has one, compared weakly.
func holds(list, etag string) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimPrefix(strings.TrimSpace(one), "W/") == etag {
			return true
		}
	}
	return false
}
