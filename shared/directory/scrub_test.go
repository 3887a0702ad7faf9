package directory

import (
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	jwt := "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJncmFwaCJ9.c2lnbmF0dXJl-_"
	refresh := "0.AXkA" + strings.Repeat("AbC-_9", 20)
	tests := []struct{ in, want string }{
		{"", ""},
		{"run run_01kb0v7c4g waits until 2026-11-24T07:30:00Z", "run run_01kb0v7c4g waits until 2026-11-24T07:30:00Z"},
		{"state: applying, code: held", "state: applying, code: held"},
		{"user zoë.åberg+x@corp.example is taken", "user [address] is taken"},
		{"GET https://graph.microsoft.com/v1.0/users/a.b@contoso.onmicrosoft.com: 404", "GET https://graph.microsoft.com/v1.0/users/[address]: 404"},
		{"token " + jwt + " refused", "token [token] refused"},
		{"Authorization: Bearer abc.def-ghi", "Authorization: [token]"},
		{"grant " + refresh, "grant [token]"},
		{"POST grant_type=refresh_token&refresh_token=xyz&client_secret=q~8", "POST grant_type=refresh_token&refresh_token=[secret]&client_secret=[secret]"},
		{`{"refresh_token":"abc","password": "p w"}`, `{"refresh_token":"[secret]","password": "[secret] w"}`},
		{"/oauth/callback?code=AwABAAAAvPM1KaPlrEqdFSBzjqfTGA&state=c2FtcGxlLXN0YXRlLXRoYXQ", "/oauth/callback?code=[secret]&state=[secret]"},
	}
	for _, tt := range tests {
		if got := Scrub(tt.in); got != tt.want {
			t.Errorf("Scrub(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
