package graph

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

func TestDurability(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLab(t, labOptions{Dir: dir})
	_, link := l.round("/users/delta?$select=displayName")
	id := l.create("kept@fabrikam.example")
	l.want(204, "PATCH", "/users/"+id, `{"city":"Bern","onPremisesExtensionAttributes":{"extensionAttribute1":"x"}}`)
	l.want(204, "DELETE", "/users/"+plainID, "")
	if err := l.s.kept.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := l.s.SetRoles(labTenant, ownerID, "Global Reader"); err != nil {
		t.Fatal(err)
	}
	before, mutations := l.raw(id), l.s.Mutations(labTenant)
	path := filepath.Join(dir, "m365.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, `[{"k":"object","t":"`+labTenant) // the process died while it wrote
	f.Close()

	for n := range 3 { // the last one reads what was compacted
		if n == 2 {
			repeat(t, path, 2000)
		}
		s, err := openSim(labOptions{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		again := *l.unchecked()
		again.s = s
		again.client.Transport = s.transport()
		if got := again.raw(id); !reflect.DeepEqual(got, before) {
			t.Errorf("the account is %v, was %v", got, before)
		}
		if got := s.Mutations(labTenant); len(got) != len(mutations) || !got[0].Time.Equal(mutations[0].Time) {
			t.Errorf("%d mutations, were %d", len(got), len(mutations))
		}
		if off := time.Until(s.kept.Now()); off < 59*time.Minute {
			t.Errorf("the clock was set back to %v", off)
		}
		items, _ := again.round(link)
		if len(items) != 2 || removed(items[plainID]) != "changed" {
			t.Errorf("the delta link gives %v", items)
		}
		if got := again.want(200, "GET", "/me", "").body["id"]; got != globalID {
			t.Errorf("the token is of %v", got)
		}
		if got := s.rolesOf(ownerID); len(got) != 1 {
			t.Errorf("roles = %v", got)
		}
		if err := s.kept.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := os.ReadFile(path); err != nil || bytes.Count(raw, []byte("\n")) > 100 {
		t.Errorf("the file was not compacted: %d lines, %v", bytes.Count(raw, []byte("\n")), err)
	}
}

// repeat appends a line of the file again and again, as many changes would.
func repeat(t *testing.T, path string, times int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(raw, []byte("\n"))
	for _, line := range lines {
		if bytes.Contains(line, []byte(`"k":"app"`)) {
			raw = append(raw, bytes.Repeat(line, times)...)
			break
		}
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{Dir: t.TempDir()}).unchecked()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				r, err := l.try(t.Context(), "POST", "/users", newUser(fmt.Sprintf("same%d@fabrikam.example", i)))
				if err != nil || r.status != 201 && r.status != 400 {
					t.Errorf("worker %d: %d %v", w, r.status, err)
				}
				l.try(t.Context(), "PATCH", "/users/"+plainID, fmt.Sprintf(`{"city":"w%d-%d"}`, w, i))
				l.try(t.Context(), "GET", "/users/delta?$select=city", "")
			}
		})
	}
	wg.Wait()
	creations, last := 0, any(nil)
	for _, m := range l.s.Mutations(labTenant) {
		switch m.Kind {
		case "create":
			creations++
		case "update":
			if m.Before["city"] != last {
				t.Errorf("a mutation says %v was before, but it was %v", m.Before["city"], last)
			}
			last = m.After["city"]
		}
	}
	if creations != 20 || l.raw(plainID)["city"] != last {
		t.Errorf("%d creations, want 20; the last city is %v, the log says %v", creations, l.raw(plainID)["city"], last)
	}
}
