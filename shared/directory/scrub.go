package directory

import "strings"

// What Scrub masks: addresses of persons; JSON web tokens; bearer tokens and
// the parameters of the OAuth protocol that carry secrets; Microsoft's refresh
// tokens and codes, which start "0." or "1." and are long.
var (
	addressLike = Pattern(`[\pL\pN._%+'#!$*^{|}~-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
	jwtLike     = Pattern(`\beyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){1,4}`)
	bearerLike  = Pattern(`(?i)\bbearer\s+[A-Za-z0-9._~+/=-]+`)
	opaqueLike  = Pattern(`\b[0-9M]\.[A-Za-z0-9._!*~-]{60,}`)
	formLike    = Pattern(`(?i)\b(access_token|refresh_token|id_token|client_secret|code_verifier|client_assertion|password)(["']?\s*[=:]\s*["']?)[^\s&"',}]+`)
	queryLike   = Pattern(`(?i)\b(code|state|nonce)=[^\s&"']{16,}`)
)

// Scrub masks what looks like the address of a person or like a secret. It is
// the second line: nothing of the kind should be given to a log in the first
// place. A pattern is only tried where what it cannot do without is there: most
// lines have nothing of the kind.
func Scrub(s string) string {
	if strings.Contains(s, "eyJ") {
		s = jwtLike().ReplaceAllString(s, "[token]")
	}
	if strings.Contains(strings.ToLower(s), "bearer") {
		s = bearerLike().ReplaceAllString(s, "[token]")
	}
	if len(s) > opaqueLength {
		s = opaqueLike().ReplaceAllString(s, "[token]")
	}
	if strings.ContainsAny(s, "=:") {
		s = formLike().ReplaceAllString(s, "$1$2[secret]")
	}
	if strings.Contains(s, "=") {
		s = queryLike().ReplaceAllString(s, "$1=[secret]")
	}
	return Impersonal(s)
}

// opaqueLength is how long what opaqueLike finds is at least.
const opaqueLength = 60

// Impersonal masks what looks like the address of a person, in a text for readers
// who need not know about whom it is.
func Impersonal(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	return addressLike().ReplaceAllString(s, "[address]")
}
