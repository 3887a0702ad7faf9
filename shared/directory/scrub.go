package directory

import "regexp"

// What Scrub masks: addresses of persons; JSON web tokens; bearer tokens and
// the parameters of the OAuth protocol that carry secrets; Microsoft's refresh
// tokens and codes, which start "0." or "1." and are long.
var (
	addressLike = regexp.MustCompile(`[\pL\pN._%+'#!$*^{|}~-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
	jwtLike     = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){1,4}`)
	bearerLike  = regexp.MustCompile(`(?i)\bbearer\s+[A-Za-z0-9._~+/=-]+`)
	opaqueLike  = regexp.MustCompile(`\b[0-9M]\.[A-Za-z0-9._!*~-]{60,}`)
	formLike    = regexp.MustCompile(`(?i)\b(access_token|refresh_token|id_token|client_secret|code_verifier|client_assertion|password)(["']?\s*[=:]\s*["']?)[^\s&"',}]+`)
	queryLike   = regexp.MustCompile(`(?i)\b(code|state|nonce)=[^\s&"']{16,}`)
)

// Scrub masks what looks like the address of a person or like a secret. It is
// the second line: nothing of the kind should be given to a log in the first
// place.
func Scrub(s string) string {
	s = jwtLike.ReplaceAllString(s, "[token]")
	s = bearerLike.ReplaceAllString(s, "[token]")
	s = opaqueLike.ReplaceAllString(s, "[token]")
	s = formLike.ReplaceAllString(s, "$1$2[secret]")
	s = queryLike.ReplaceAllString(s, "$1=[secret]")
	return Impersonal(s)
}

// Impersonal masks what looks like the address of a person, in a text for readers
// who need not know about whom it is.
func Impersonal(s string) string { return addressLike.ReplaceAllString(s, "[address]") }
