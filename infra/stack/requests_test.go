package stack

import "testing"

// TestActsNameTheirRequests: what an admin does over the API of the stack is on
// record with the ID of the request, each with one of its own.
func TestActsNameTheirRequests(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := s.Client()
	for _, email := range []string{"ann@corp.example", "bob@corp.example"} {
		if _, err := c.PostJSON(t.Context(), "/v1/users", Object{"email": email, "familyName": "Doe"}); err != nil {
			t.Fatal(err)
		}
	}
	acts, err := c.Get(t.Context(), "/v1/activity")
	if err != nil {
		t.Fatal(err)
	}
	requests := map[string]bool{}
	for _, act := range acts.List("items") {
		requests[act.Text("apiRequestId")] = true
	}
	if len(requests) != 2 || requests[""] {
		t.Errorf("two users were made by the requests %v", requests)
	}
}
