package console

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"bindery/shared/clock"
	"bindery/shared/directory"

	g "maragu.dev/gomponents"
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

// thisForm tells two pages of one form apart: whoever opens it anew and sends the same, as when
// what was made has been deleted, means it.
func (v *visit) thisForm() g.Node {
	return hidden("form", strconv.FormatInt(v.now().UnixNano(), 36))
}

// wantsOnce reports whether a request is a form that may not be done twice. Versions that are
// numbers only go up, but where what is gone may come back; there the form is told apart by
// thisForm. Of settings, what was once may be so again.
func (v *visit) wantsOnce() bool {
	if v.r.Method != http.MethodPost || v.s == nil || multipart(v.r) {
		return false
	}
	_, err := strconv.Atoi(v.r.PostForm.Get("version"))
	return v.route.once || err == nil
}

// onceNote is where it is noted that a form was sent: beside the session, by what was sent.
type onceNote struct {
	*visit
	name string
	seal cipher.AEAD
}

func (v *visit) onceNote() (*onceNote, error) {
	session, seal, err := rowOf(v.s.secret)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(session + "\n" + v.r.URL.Path + "\n" + v.r.PostForm.Encode()))
	return &onceNote{v, hex.EncodeToString(sum[:]), seal}, nil
}

// write notes what came of a form; ErrStale when something else is noted than what has that
// version, 0 for nothing.
func (n *onceNote) write(ctx context.Context, s sentOnce, version int64) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return n.c.cfg.Sessions.SaveSession(ctx, n.name, n.seal.Seal(nil, nil, plain, []byte(n.name)), version, n.now().Add(onceFor))
}

// take notes that a form is being done. If it was sent before, first is what came of that as
// far as it is known, and nothing is noted.
func (n *onceNote) take() (first *sentOnce, err error) {
	for {
		err := n.write(n.ctx, sentOnce{}, 0)
		if !errors.Is(err, directory.ErrStale) {
			return nil, err
		}
		sealed, _, err := n.c.cfg.Sessions.Session(n.ctx, n.name)
		if errors.Is(err, directory.ErrNotFound) { // its time is over, and it was not swept yet
			if err := n.c.cfg.Sessions.EndSession(n.ctx, n.name); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		first = &sentOnce{}
		if plain, err := n.seal.Open(nil, nil, sealed, []byte(n.name)); err != nil || json.Unmarshal(plain, first) != nil {
			return nil, nil // somebody wrote over it
		}
		if first.To != "" || first.Unknown || clock.Sleep(n.ctx, onceLook) != nil {
			return first, nil
		}
	}
}

// tell notes what came of a form, or forgets that it was sent where nothing did.
func (n *onceNote) tell(a answer, err error) {
	came := sentOnce{Told: n.flash}
	if to, is := a.(redirect); is && err == nil {
		came.To = to.to
	}
	if p, ours := asProblem(err); ours && p.unknown() {
		came.Unknown = true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), n.c.patience.page)
	defer cancel()
	var noted error
	if came.To == "" && !came.Unknown {
		noted = n.c.cfg.Sessions.EndSession(ctx, n.name)
	} else {
		noted = n.write(ctx, came, 1)
	}
	if noted != nil {
		n.c.cfg.Log.WarnContext(ctx, "console: what came of a form cannot be noted", "error", noted)
	}
}

// once does an act, unless the same was sent before.
func (v *visit) once(do func(v *visit) (answer, error)) (answer, error) {
	if !v.wantsOnce() {
		return do(v)
	}
	note, err := v.onceNote()
	if err != nil {
		return nil, err
	}
	first, err := note.take()
	if err != nil {
		return nil, err
	}
	switch {
	case first == nil:
	case first.To != "" && first.Told != "":
		return v.done(first.To, first.Told), nil
	case first.To != "":
		return redirect{first.To}, nil
	case first.Unknown:
		return v.refusal(http.StatusConflict, textMaybeDone), nil
	default:
		return v.refusal(http.StatusConflict, textBeingDone), nil
	}
	// It is done to its end though the browser goes: that is what pressing twice comes to.
	browsers := v.ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(browsers), v.c.patience.page)
	defer cancel()
	v.ctx = ctx
	a, err := do(v)
	v.ctx = browsers
	note.tell(a, err)
	return a, err
}
