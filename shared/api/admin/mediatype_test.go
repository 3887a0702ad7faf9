package admin

import "testing"

func TestContentType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for kind, status := range map[string]int{
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "application/xml": 415, "application/json; charset=latin1": 415, "nonsense;;": 415,
		"application/json": 201, "application/json; charset=UTF-8": 201,
	} {
		body := `{"email":"p` + kind[len(kind)-3:] + `@corp.example","familyName":"P"}`
		if kind == "nonsense;;" {
			body = `{}`
		}
		a := w.do("POST", "/v1/users", body, "Content-Type", kind)
		if a.status != status || status == 415 && (a.text("code") != "unsupported-media-type" || a.header.Get("Content-Type") != problemType) {
			t.Errorf("%s: %d %s, want %d", kind, a.status, a.raw, status)
		}
	}
}
