package demo

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"time"
)

// portraits is how many accounts of the demo have a picture.
const portraits = 10

// pictures switches the import of pictures on and imports ten users again whose
// accounts have large ones.
func (d *demonstration) pictures(ctx context.Context) error {
	users, err := d.users(ctx)
	if err != nil {
		return err
	}
	var chosen []object
	var accounts []any
	for _, u := range users {
		if u.Text("source") != "m365" || len(chosen) == portraits {
			continue
		}
		a, ok := d.sim.Account(d.tenant, u.Text("email"))
		if !ok {
			return fmt.Errorf("%s has no account", u.Text("email"))
		}
		if err := d.sim.SetPhoto(d.tenant, u.Text("email"), Portrait(uint8(len(chosen)))); err != nil {
			return err
		}
		chosen, accounts = append(chosen, u), append(accounts, a["id"])
	}
	settings := object{"settings": object{"import": object{"photos": true}}}
	if _, err := d.api.Patch(ctx, "/v1/connections/"+d.conn, settings); err != nil {
		return err
	}
	job, err := d.api.PostJSON(ctx, "/v1/connections/"+d.conn+"/imports", object{"accountIds": accounts})
	if err != nil {
		return err
	}
	if _, err := d.await(ctx, "/v1/jobs/"+job.Text("id"), portraits); err != nil {
		return err
	}
	small := 0
	for _, u := range chosen {
		if d.pictureOf(ctx, u.Text("id")) {
			small++
		}
	}
	d.show.check("pictures of 600 by 600 pixels kept at 240 by 240", portraits, small)
	settings = object{"settings": object{"import": object{"photos": nil}}}
	_, err = d.api.Patch(ctx, "/v1/connections/"+d.conn, settings)
	return err
}

// pictureOf waits for a user's picture, and reports whether it is a small one.
func (d *demonstration) pictureOf(ctx context.Context, id string) bool {
	for until := time.Now().Add(d.patience); time.Now().Before(until); {
		status, body, err := d.api.Raw(ctx, http.MethodGet, "/v1/users/"+id+"/photo", "", "")
		if err != nil {
			return false
		}
		if status == http.StatusOK {
			cfg, err := jpeg.DecodeConfig(bytes.NewReader([]byte(body)))
			return err == nil && cfg.Width == 240 && cfg.Height == 240
		}
		if pause(ctx) != nil {
			return false
		}
	}
	return false
}

// Portrait is a picture of 600 by 600 pixels.
func Portrait(n uint8) []byte {
	m := image.NewGray(image.Rect(0, 0, 600, 600))
	for i := range m.Pix {
		m.Pix[i] = color.Gray{n * 20}.Y + uint8(i/600%100)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		panic("portrait: " + err.Error()) // into memory, of a size that fits
	}
	return b.Bytes()
}
