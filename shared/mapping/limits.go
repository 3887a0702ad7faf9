package mapping

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// Microsoft's limits on length (G 2.5), in UTF-16 code units, which is how its
// directory counts.
var maxLength = map[string]int{
	directory.PropDisplayName: 256, directory.PropGivenName: 64, directory.PropSurname: 64, "jobTitle": 128,
	"department": 64, "companyName": 64, "city": 128, "state": 128, "country": 128, "streetAddress": 1024,
	"postalCode": 40, directory.PropMobilePhone: 64, directory.PropBusinessPhones: 64, directory.PropMailNickname: 64,
	directory.PropEmployeeID: 16, "officeLocation": 128, directory.PropOtherMails: 250, "employeeType": 128,
}

const (
	maxLocal     = 64
	maxDomain    = 48
	maxExtension = 1024
)

var (
	localChars      = regexp.MustCompile(`^[A-Za-z0-9'._!#^~-]+$`)
	alpha2          = regexp.MustCompile(`^[A-Z]{2}$`)
	languageTag     = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	mailAddressLike = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
)

func length(s string) int { return len(utf16.Encode([]rune(s))) }

func checkUserPrincipalName(local, domain string) *directory.Problem {
	next := "Change the user's e-mail address."
	switch {
	case length(local) > maxLocal:
		return refuse("address-too-long", fmt.Sprintf("The part before the @ has %d characters; Microsoft allows %d.", length(local), maxLocal), next)
	case length(domain) > maxDomain:
		return refuse("address-too-long", fmt.Sprintf("The domain has %d characters; Microsoft allows %d in a userPrincipalName.", length(domain), maxDomain), next)
	case !localChars.MatchString(local):
		return refuse("address-invalid", "The part before the @ has characters that Microsoft does not allow in a userPrincipalName (letters without accents, digits and ' . - _ ! # ^ ~ are).", next)
	case strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, ".."):
		return refuse("address-invalid", "The part before the @ begins or ends with a dot or has two in a row.", next)
	}
	return nil
}

// check holds one wanted value against Microsoft's rules.
func check(name string, v directory.Value) *directory.Problem {
	list, isList := v.List()
	if s, ok := v.Text(); ok {
		list = []string{s}
	} else if !isList {
		return nil
	}
	limit := maxLength[name]
	if directory.IsExtensionAttribute(name) {
		limit = maxExtension
	}
	for _, s := range list {
		if limit > 0 && length(s) > limit {
			return refuse("value-too-long", fmt.Sprintf("%s has %d characters; Microsoft allows %d.", name, length(s), limit),
				"Shorten the user's value, or switch off the export of "+name+".")
		}
		if p := checkForm(name, s); p != nil {
			return p
		}
	}
	return nil
}

func checkForm(name, s string) *directory.Problem {
	switch {
	case name == directory.PropUsageLocation && !alpha2.MatchString(s):
		return refuse("usage-location-invalid", fmt.Sprintf("usageLocation must be a country code of two letters (ISO 3166), not %q.", s), "Correct the user's usageLocation.")
	case name == "preferredLanguage" && !languageTag.MatchString(s):
		return refuse("preferred-language-invalid", fmt.Sprintf("preferredLanguage must be a language tag like en-US, not %q.", s), "Correct the user's preferredLanguage.")
	case name == directory.PropOtherMails && (!mailAddressLike.MatchString(s) || !ascii(s)):
		return refuse("other-mail-invalid", "Microsoft accepts an alternate e-mail address only with a domain and without accents.", "Correct the user's alternateEmail.")
	}
	return nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] > '~' {
			return false
		}
	}
	return true
}

// nickname makes a legal mailNickname of an address: its local part without
// what Microsoft refuses there.
func nickname(address string) string {
	local, _, _ := strings.Cut(address, "@")
	n := strings.Map(func(r rune) rune {
		if r > '~' || r <= ' ' || strings.ContainsRune(`@()\[]";:<>,`, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(local))
	if len(n) > maxLocal {
		n = n[:maxLocal]
	}
	return strings.Trim(n, ".")
}
