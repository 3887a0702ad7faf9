package admin

import (
	"testing"

	"bindery/shared/directory"
)

func TestPhoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.do("POST", "/v1/users", `{"email":"ann@corp.example","familyName":"Ann"}`)
	path := "/v1/users/" + made.text("id") + "/photo"
	if a := w.do("GET", path, ""); a.status != 404 || a.text("code") != "photo-not-found" {
		t.Errorf("without a picture: %d %s", a.status, a.raw)
	}
	if a := w.do("GET", "/v1/users/usr_nobody/photo", ""); a.status != 404 || a.text("code") != "user-not-found" {
		t.Errorf("of nobody: %d %s", a.status, a.raw)
	}
	p := directory.Photo{UserID: directory.UserID(made.text("id")), ConnectionID: w.conn.ID, Type: "image/png", Data: []byte("\x89PNG"), Digest: "abc"}
	if err := w.store.Photos.SavePhoto(t.Context(), 1, &p); err != nil {
		t.Fatal(err)
	}
	got := w.do("GET", path, "")
	if got.status != 200 || got.raw != "\x89PNG" || got.header.Get("Content-Type") != "image/png" || got.header.Get("ETag") != `"abc"` ||
		got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Content-Security-Policy") == "" {
		t.Errorf("GET = %d %q %v", got.status, got.raw, got.header)
	}
	for list, want := range map[string]int{`"abc"`: 304, `W/"abc"`: 304, `"x", "abc"`: 304, "*": 304, `"x"`: 200, "abc": 200} {
		if a := w.do("GET", path, "", "If-None-Match", list); a.status != want || want == 304 && (a.raw != "" || a.header.Get("ETag") != `"abc"`) {
			t.Errorf("If-None-Match %s = %d %q, want %d", list, a.status, a.raw, want)
		}
	}
	if a := w.as(map[string]string{"sub": "x", "scope": ScopeWrite}, "GET", path, ""); a.status != 403 {
		t.Errorf("without the scope: %d", a.status)
	}
	w.do("DELETE", "/v1/users/"+made.text("id"), "")
	if a := w.do("GET", path, ""); a.status != 404 {
		t.Errorf("of a deleted user: %d", a.status)
	}
}
