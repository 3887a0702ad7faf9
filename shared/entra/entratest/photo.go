package entratest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // photos may be PNG
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// photo is the picture of an account. The service that keeps photos does not
// look into it before it is asked for a size.
type photo struct {
	Data []byte `json:"data"`
}

// maxPhoto bounds a photo, as Microsoft does.
const maxPhoto = 4 << 20

// photoSizes are the sizes that there are, "HxW".
var photoSizes = []string{"48x48", "64x64", "96x96", "120x120", "240x240", "360x360", "432x432", "504x504", "648x648"}

// photoPath tells whether a path is one of the photo service's.
func photoPath(names []string) bool {
	return len(names) > 2 && names[0] == "users" && (names[2] == "photo" || names[2] == "photos")
}

func noPhoto() *graphError {
	return &graphError{status: http.StatusNotFound, code: "ImageNotFound", message: "The photo wasn't found."}
}

// photoOf finds the photo that is asked for.
func (c *call) photoOf() (*photo, *graphError) {
	if !c.has(append(slices.Clone(readUsers), "ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All")...) &&
		!(c.has("User.Read") && strings.EqualFold(c.ref(), c.me.ID)) {
		return nil, denied()
	}
	o, e := c.lookup(kindUser, c.ref())
	if e != nil {
		return nil, e
	}
	if o.Photo == nil {
		return nil, noPhoto()
	}
	return o.Photo, nil
}

func (p *photo) etag() string {
	sum := sha256.Sum256(p.Data)
	return `W/"` + strings.ToUpper(hex.EncodeToString(sum[:16])) + `"`
}

// measures are what the file claims; 0 when it claims nothing.
func (p *photo) measures() (width, height int) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(p.Data))
	if err != nil {
		return 0, 0
	}
	return cfg.Width, cfg.Height
}

// getPhoto is GET /users/{id}/photo: what is known of the photo.
func (c *call) getPhoto() (*reply, *graphError) {
	p, e := c.photoOf()
	if e != nil {
		return nil, e
	}
	w, h := p.measures()
	return &reply{status: http.StatusOK, body: map[string]any{
		"@odata.context":          c.context("users('" + c.ref() + "')/photo/$entity"),
		"@odata.mediaContentType": http.DetectContentType(p.Data), "@odata.mediaEtag": p.etag(),
		"id": fmt.Sprintf("%dX%d", h, w), "height": h, "width": w,
	}}, nil
}

// getPhotoValue is GET /users/{id}/photo/$value and /photos/{size}/$value. A
// photo that is smaller than the size is not there in that size.
func (c *call) getPhotoValue() (*reply, *graphError) {
	p, e := c.photoOf()
	if e != nil {
		return nil, e
	}
	data := p.Data
	if c.names[2] == "photos" {
		if !slices.Contains(photoSizes, c.names[3]) {
			return nil, noPhoto()
		}
		text, _, _ := strings.Cut(c.names[3], "x")
		side, err := strconv.Atoi(text)
		if err != nil {
			return nil, failed(err)
		}
		if data = p.sized(side); data == nil {
			return nil, noPhoto()
		}
	}
	// Microsoft's description of the API declares no other type; what kind of
	// picture it is tells @odata.mediaContentType.
	return &reply{status: http.StatusOK, raw: data, kind: "application/octet-stream", header: http.Header{"Etag": {p.etag()}}}, nil
}

// sized is the photo in a size, nil when it is smaller. What cannot be decoded
// within reason is handed out as it is.
func (p *photo) sized(side int) []byte {
	w, h := p.measures()
	if w == 0 || w > 4000 || h > 4000 {
		return p.Data
	}
	if w < side || h < side {
		return nil
	}
	img, _, err := image.Decode(bytes.NewReader(p.Data))
	if err != nil {
		return p.Data
	}
	b := img.Bounds()
	if b.Dx() == side && b.Dy() == side {
		return p.Data
	}
	small := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			small.Set(x, y, img.At(b.Min.X+x*b.Dx()/side, b.Min.Y+y*b.Dy()/side))
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, nil); err != nil {
		return p.Data
	}
	return out.Bytes()
}

// SetPhoto gives an account a photo, or takes it away (nil), as somebody in the
// portal. What it holds is not looked at, so that it may be hostile.
func (s *Server) SetPhoto(tenantID, idOrUPN string, data []byte) error {
	if len(data) > maxPhoto {
		return errors.New("a photo has at most 4 MB")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, idOrUPN)
	if err != nil {
		return err
	}
	next := o.clone()
	next.Photo = nil
	if len(data) > 0 {
		next.Photo = &photo{slices.Clone(data)}
	}
	ch := change{s: s, t: t}
	ch.put(next) // no property of the account changes: delta does not tell
	next.Version = o.Version
	return ch.commit()
}

func controlPutPhoto(s *Server, r *http.Request) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	data, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxPhoto))
	if err != nil || len(data) == 0 {
		return 0, nil, badControl("the body must be the file, of at most 4 MB")
	}
	return http.StatusNoContent, nil, s.SetPhoto(tenantID, account, data)
}

func controlDeletePhoto(s *Server, r *http.Request) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.SetPhoto(tenantID, account, nil)
}
