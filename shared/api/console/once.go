package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"
)

// A form that is sent twice does one thing. Without the script nothing keeps anybody from
// pressing a button twice while the first answer is on its way, and a browser that is asked for
// a page of a form again sends that form again. So what makes something new, and what is of one
// version of something, is noted beside the session before it is done, by what was sent; whoever
// sends the same is led to where the first one was. What came to nothing is forgotten, and may
// be sent once more.

const (
	// onceFor is how long a form counts as sent.
	onceFor = 2 * time.Minute
	// onceLook is how soon somebody who waits for the first looks again.
	onceLook = 100 * time.Millisecond
)

// sentOnce is what came of a form that was sent; nothing yet while it is being done.
type sentOnce struct {
	To   string `json:"to,omitempty"`
	Told string `json:"told,omitempty"`
	// Unknown says that /v1 did not answer: it may have been done.
	Unknown bool `json:"unknown,omitempty"`
}

// wantsOnce reports whether a request is a form that may not be done twice. Versions that are
// numbers only go up, so that the same form can mean nothing else; of settings, what was once
// may be so again.
func (v *visit) wantsOnce() bool {
	if v.r.Method != http.MethodPost || v.s == nil || multipart(v.r) {
		return false
	}
	_, err := strconv.Atoi(v.r.PostForm.Get("version"))
	return v.route.once || err == nil
}

// once does an act, unless the same was sent before.
func (v *visit) once(do func(v *visit) (answer, error)) (answer, error) {
	if !v.wantsOnce() {
		return do(v)
	}
	session, seal, err := rowOf(v.s.secret)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(session + "\n" + v.r.URL.Path + "\n" + v.r.PostForm.Encode()))
	name := hex.EncodeToString(sum[:])
	note := func(ctx context.Context, s sentOnce, version int64) error {
		plain, err := json.Marshal(s)
		if err != nil {
			return err
		}
		return v.c.cfg.Sessions.SaveSession(ctx, name, seal.Seal(nil, nil, plain, []byte(name)), version, v.now().Add(onceFor))
	}
	for {
		err := note(v.ctx, sentOnce{}, 0)
		if err == nil {
			break
		}
		if !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
		sealed, _, err := v.c.cfg.Sessions.Session(v.ctx, name)
		if errors.Is(err, directory.ErrNotFound) { // its time is over, and it was not swept yet
			if err := v.c.cfg.Sessions.EndSession(v.ctx, name); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		var first sentOnce
		if plain, err := seal.Open(nil, nil, sealed, []byte(name)); err != nil || json.Unmarshal(plain, &first) != nil {
			return do(v) // somebody wrote over it
		}
		switch {
		case first.To != "" && first.Told != "":
			return v.done(first.To, first.Told), nil
		case first.To != "":
			return redirect{first.To}, nil
		case first.Unknown:
			return v.refusal(http.StatusConflict, textMaybeDone), nil
		}
		if err := clock.Sleep(v.ctx, onceLook); err != nil {
			return v.refusal(http.StatusConflict, textBeingDone), nil
		}
	}
	// It is done to its end though the browser goes: that is what pressing twice comes to.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.ctx), v.c.patience.page)
	defer cancel()
	v.ctx = ctx
	a, err := do(v)
	came := sentOnce{Told: v.flash}
	if to, is := a.(redirect); is && err == nil {
		came.To = to.to
	}
	if p, ours := asProblem(err); ours && p.late {
		came.Unknown = true
	}
	ctx, cancel = context.WithTimeout(context.WithoutCancel(v.ctx), v.c.patience.page)
	defer cancel()
	var noted error
	if came.To == "" && !came.Unknown {
		noted = v.c.cfg.Sessions.EndSession(ctx, name)
	} else {
		noted = note(ctx, came, 1)
	}
	if noted != nil {
		v.c.cfg.Log.WarnContext(v.ctx, "console: what came of a form cannot be noted", "error", noted)
	}
	return a, err
}
