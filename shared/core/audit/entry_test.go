package audit

import "testing"

// Versions that do not know the request's ID digest the same entries: a link must
// say the same of them to each.
func TestRequestIDIsNoPartOfTheDigest(t *testing.T) {
	e := Entry{ID: "act_1", Kind: "edit-user", By: "ada"}
	with := e
	with.APIRequestID = "c0ffee"
	if a, b := string(e.line()), string(with.line()); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}
