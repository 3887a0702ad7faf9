package graph

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // photos may be PNG
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var photoRoutes = []route{
	{"GET", "users/{}/photo", getPhoto},
	{"GET", "users/{}/photo/$value", getPhotoValue},
	{"GET", "users/{}/photos/{}/$value", getPhotoValue},
}

// photoSizes are the sizes that there are, "HxW".
var photoSizes = []string{"48x48", "64x64", "96x96", "120x120", "240x240", "360x360", "432x432", "504x504", "648x648"}

func noPhoto() *odata.Error {
	return &odata.Error{Status: http.StatusNotFound, Code: "ImageNotFound", Message: "The photo wasn't found."}
}

// photoOf finds the photo that is asked for.
func (c *call) photoOf() (*state.Photo, *odata.Error) {
	if !c.has(with(readUsers, "ProfilePhoto.Read.All", "ProfilePhoto.ReadWrite.All")...) &&
		!(c.has("User.Read") && strings.EqualFold(c.ref(), c.me.ID)) {
		return nil, denied()
	}
	o, e := c.lookup(state.User, c.ref())
	if e != nil {
		return nil, e
	}
	if o.Photo == nil {
		return nil, noPhoto()
	}
	return o.Photo, nil
}

func photoTag(p *state.Photo) string {
	sum := sha256.Sum256(p.Data)
	return `W/"` + strings.ToUpper(hex.EncodeToString(sum[:16])) + `"`
}

// measures are what the file claims; 0 when it claims nothing.
func measures(p *state.Photo) (width, height int) {
	cfg, _, err := image.DecodeConfig(bytes.NewReader(p.Data))
	if err != nil {
		return 0, 0
	}
	return cfg.Width, cfg.Height
}

// getPhoto is GET /users/{id}/photo: what is known of the photo.
func getPhoto(c *call) (*reply, *odata.Error) {
	p, e := c.photoOf()
	if e != nil {
		return nil, e
	}
	w, h := measures(p)
	return &reply{status: http.StatusOK, body: map[string]any{
		"@odata.context":          c.context("users('" + c.ref() + "')/photo/$entity"),
		"@odata.mediaContentType": http.DetectContentType(p.Data), "@odata.mediaEtag": photoTag(p),
		"id": fmt.Sprintf("%dX%d", h, w), "height": h, "width": w,
	}}, nil
}

// getPhotoValue is GET /users/{id}/photo/$value and /photos/{size}/$value. A
// photo that is smaller than the size is not there in that size.
func getPhotoValue(c *call) (*reply, *odata.Error) {
	p, e := c.photoOf()
	if e != nil {
		return nil, e
	}
	data := p.Data
	if c.path.Names[2] == "photos" {
		if !slices.Contains(photoSizes, c.path.Names[3]) {
			return nil, noPhoto()
		}
		text, _, _ := strings.Cut(c.path.Names[3], "x")
		side, err := strconv.Atoi(text)
		if err != nil {
			return nil, failed(err)
		}
		if data = sized(p, side); data == nil {
			return nil, noPhoto()
		}
	}
	// Microsoft's description of the API declares no other type; what kind of
	// picture it is tells @odata.mediaContentType.
	return &reply{status: http.StatusOK, raw: data, kind: "application/octet-stream", header: http.Header{"Etag": {photoTag(p)}}}, nil
}

// sized is the photo in a size, nil when it is smaller. What cannot be decoded
// within reason is handed out as it is.
func sized(p *state.Photo, side int) []byte {
	w, h := measures(p)
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
