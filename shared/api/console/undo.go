package console

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// What an act tells has a button that takes it back, where the act was one that is done at
// once: the opposite act, as a form of its own. It is of the version that the act has made,
// so it takes back that act and nothing that came after it.

// undoing is the member of a form that takes an act back.
const undoing = "undo"

// wayBack is the form that takes an act back: where it goes, and its fields in pairs. It comes by
// the cookie of what was told, so it may go to acts alone that are marked for it.
type wayBack struct {
	To     string   `json:"t"`
	Fields []string `json:"f,omitempty"`
}

// mostUndo is how large a form may be that goes along in a cookie.
const mostUndo = 1800

// undoable is done with the way back. Without the version that the act has made, or with more
// to put back than a cookie takes, there is none.
func (v *visit) undoable(to, what, version string, back *wayBack) answer {
	f := flash{Text: clean(what)}
	if v.takingBack() {
		f.Text = v.lang.say(textTakenBack) + " " + f.Text
	} else if version != "" {
		back.Fields = append(back.Fields, "version", version)
		if raw, err := json.Marshal(back); err == nil && len(raw) <= mostUndo {
			f.Undo = back
		}
	}
	return v.tell(to, f)
}

// takingBack reports whether an act takes back one before it.
func (v *visit) takingBack() bool { return v.r.PostForm.Get(undoing) != "" }

// undoForm is the button that takes back what was told.
func (v *visit) undoForm(u *wayBack) g.Node {
	if u == nil || !u.fits() || !v.s.has(scopeWrite) {
		return nil
	}
	fields := []g.Node{hidden(undoing, "1")}
	for i := 0; i+1 < len(u.Fields); i += 2 {
		fields = append(fields, hidden(u.Fields[i], u.Fields[i+1]))
	}
	return v.act(scopeWrite, u.To, textUndo, "small", fields...)
}

// fits reports whether a form goes to an act that takes another one back.
func (u *wayBack) fits() bool {
	return local(u.To) && !strings.ContainsAny(u.To, "?#") && slices.ContainsFunc(routes, func(r route) bool {
		if !r.undoes {
			return false
		}
		parts, to := strings.Split(r.path, "/"), strings.Split(u.To, "/")
		return len(parts) == len(to) && !slices.ContainsFunc(parts, func(p string) bool {
			defer func() { to = to[1:] }()
			return p != to[0] && (!strings.HasPrefix(p, "{") || to[0] == "")
		})
	})
}

// versionOf is the version that an answer of /v1 is of; "" where it does not say.
func versionOf(header http.Header) string { return strings.Trim(header.Get("ETag"), `"`) }

// tooLate is the page of an act that can no longer be taken back.
func (v *visit) tooLate(at string) answer {
	return view{status: http.StatusPreconditionFailed, title: v.lang.say(textNotTakenBack), body: []g.Node{
		v.box(toneWarn, v.say(textChangedMeanwhile), h.P(v.say(textNotTakenBackMore)), h.P(link(at, h.Class("button primary"), v.say(textLookAgain))))}}
}

// bindingMoved reports whether a binding is another one than the act before has left: /v1 has
// no version of it. Of a pause that is when it was made; whoever was resumed is paused by
// nobody.
func (v *visit) bindingMoved(user string) (bool, error) {
	var list page[userBinding]
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("users", user, "bindings"), nil, &list); err != nil {
		return false, err
	}
	i := slices.IndexFunc(list.Items, func(b userBinding) bool { return string(b.ConnectionID) == v.id() })
	return i < 0 || v.r.PostForm.Get("version") != bindingVersion(&list.Items[i].binding), nil
}

// resumed is the version of a binding that is not paused.
const resumed = "resumed"

// bindingVersion stands for what a pause, or its end, has made of a binding.
func bindingVersion(b *binding) string {
	switch {
	case b.UserID == "":
		return ""
	case b.Status != directory.BindingPaused:
		return resumed
	case b.Problem == nil:
		return ""
	}
	return b.Problem.Since.UTC().Format(time.RFC3339Nano)
}
