package console

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"bindery/shared/directory"
)

// A plan of a what-if was made with settings that are not the connection's. Its page says in
// what they differ, and saves them: these very values, onto the settings of which it said so.

// triedVersion stands for what saving tried settings would change.
func triedVersion(list []settingChange) string {
	var all strings.Builder
	for _, c := range list {
		raw, err := json.Marshal([]string{c.path, c.was, c.is})
		if err != nil {
			panic(err) // texts always marshal
		}
		all.Write(raw)
	}
	sum := sha256.Sum256([]byte(all.String()))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// tried are the settings that a plan was made with, beside those of the connection.
func (v *visit) tried(rv *runView, known bool) g.Node {
	r := &rv.run
	if r.Settings == nil || !known {
		return nil
	}
	list := settingChanges(treeOf(&rv.con.Settings), treeOf(r.Settings), true)
	if len(list) == 0 {
		return v.box(toneInfo, v.say(textTried), h.P(v.say(textTriedAreSaved)))
	}
	save := v.act(scopeAdmin, here("runs", string(r.ID), "settings"), textSaveTried, "primary", hidden("version", triedVersion(list)))
	change := query(here("connections", string(rv.con.ID), "settings"), "part", partOf(list[0].path), "tried", string(r.ID))
	return v.box(toneInfo, v.say(textTried), v.changedSettings(list, textIsNow, textTriedAs), h.P(h.Class("faint"), v.say(textTriedMeans)),
		h.Div(h.Class("row"), save, link(change, h.Class("button"), v.say(textTriedChange))))
}

// partOf is the part of the settings in which a value is.
func partOf(path string) string {
	switch property, foreign := strings.CutPrefix(path, "foreignChange."); {
	case strings.HasPrefix(path, "guard."):
		return partGuard
	case strings.HasPrefix(path, "attributes."):
		return partProperties
	case foreign:
		for _, o := range settingSections[0].rows {
			if o.path == "foreignChange."+property {
				return partGeneral
			}
		}
		return partProperties
	}
	return partGeneral
}

// mergePatch is the merge patch (RFC 7396) that makes one object of another.
func mergePatch(old, next tree) tree {
	patch := tree{}
	for name, was := range old {
		is, stays := next[name]
		inner, isTree := was.(tree)
		innerNext, becomesTree := is.(tree)
		switch {
		case !stays:
			patch[name] = nil
		case isTree && becomesTree:
			if p := mergePatch(inner, innerNext); len(p) > 0 {
				patch[name] = p
			}
		case fieldText(was) != fieldText(is):
			patch[name] = is
		}
	}
	for name, is := range next {
		if _, was := old[name]; !was {
			patch[name] = is
		}
	}
	return patch
}

// saveTried saves the settings that a plan was made with, unless the connection has others by
// now than the page of the plan has shown.
func saveTried(v *visit) (answer, error) {
	at := here("runs", v.id())
	var r directory.Run
	if _, err := v.call(v.ctx, http.MethodGet, apiPath("runs", v.id()), nil, &r); err != nil {
		return nil, err
	}
	if r.Settings == nil {
		return redirect{at}, nil
	}
	var s struct {
		Settings directory.Settings `json:"settings"`
	}
	header, err := v.call(v.ctx, http.MethodGet, apiPath("connections", string(r.ConnectionID)), nil, &s)
	if err != nil {
		return nil, err
	}
	old, next := treeOf(&s.Settings), treeOf(r.Settings)
	list := settingChanges(old, next, true)
	back := here("connections", string(r.ConnectionID), "settings")
	switch {
	case len(list) == 0: // pressed twice
		return v.done(back, v.lang.say(textTriedAreSaved)), nil
	case v.r.PostForm.Get("version") != triedVersion(list):
		return v.stale(at), nil
	}
	var out struct {
		Expires time.Time `json:"expires"` // of a proposal
	}
	_, err = v.call(v.ctx, http.MethodPatch, apiPath("connections", string(r.ConnectionID)), tree{"settings": mergePatch(old, next)}, &out, "If-Match", header.Get("ETag"))
	switch {
	case is(err, http.StatusPreconditionFailed):
		return v.stale(at), nil
	case err != nil:
		return nil, err
	case !out.Expires.IsZero():
		return v.done(back, v.lang.say(textProposed, v.lang.moment(out.Expires))), nil
	}
	return v.done(back, v.lang.say(textSettingsSaved)), nil
}
