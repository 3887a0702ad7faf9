package mapping

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// maxLength holds Microsoft's limits on length (G 2.5). Microsoft does not say
// what it counts; we count UTF-16 code units, of which a string never has fewer
// than characters, so that what we let pass passes there in either reading.
var maxLength = map[string]int{
	directory.PropDisplayName: 256, directory.PropGivenName: 64, directory.PropSurname: 64, "jobTitle": 128,
	"department": 64, "companyName": 64, "city": 128, "state": 128, "country": 128, "streetAddress": 1024,
	"postalCode": 40, directory.PropMobilePhone: 64, directory.PropBusinessPhones: 64, directory.PropMailNickname: 64,
	directory.PropEmployeeID: 16, "officeLocation": 128, directory.PropOtherMails: 250,
}

const (
	maxLocal     = 64
	maxDomain    = 48
	maxExtension = 1024
)

var (
	languageTag     = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	asciiMail       = regexp.MustCompile(`^[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	mailAddressLike = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
)

func length(s string) int { return len(utf16.Encode([]rune(s))) }

// checkUserPrincipalName holds an address, in lower case, against Microsoft's
// rules for userPrincipalName.
func checkUserPrincipalName(local, domain string) *directory.Problem {
	const next = "Change the user's e-mail address."
	if n := length(local); n > maxLocal {
		return refuse("address-too-long", fmt.Sprintf("The part of userPrincipalName before the @ has %d characters; Microsoft allows %d.", n, maxLocal), next)
	}
	if n := length(domain); n > maxDomain {
		return refuse("address-too-long", fmt.Sprintf("The domain of userPrincipalName has %d characters; Microsoft allows %d.", n, maxDomain), next)
	}
	if bad := strings.Map(dropLegal, local); bad != "" {
		return refuse("address-invalid", fmt.Sprintf(
			"The part of userPrincipalName before the @ has %q; Microsoft allows letters without accents, digits and ' . - _ ! # ^ ~.", bad), next)
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return refuse("address-invalid", "The part of userPrincipalName before the @ begins or ends with a dot, or has two in a row.", next)
	}
	return nil
}

// dropLegal leaves the characters that a userPrincipalName must not have.
func dropLegal(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("'.-_!#^~", r) {
		return -1
	}
	return r
}

// check holds one wanted value against Microsoft's rules.
func check(name string, v directory.Value) *directory.Problem {
	limit := maxLength[name]
	if directory.IsExtensionAttribute(name) {
		limit = maxExtension
	}
	if s, ok := v.Text(); ok {
		return checkText(name, s, limit)
	}
	list, _ := v.List()
	for _, s := range list {
		if p := checkText(name, s, limit); p != nil {
			return p
		}
	}
	return nil
}

func checkText(name, s string, limit int) *directory.Problem {
	// Code units are never more than bytes.
	if limit > 0 && len(s) > limit {
		if n := length(s); n > limit {
			return refuse("value-too-long", fmt.Sprintf("%s has %d characters; Microsoft allows %d.", name, n, limit), shorten(name))
		}
	}
	return checkForm(name, s)
}

func shorten(name string) string {
	switch name {
	case directory.PropDisplayName, directory.PropGivenName, directory.PropSurname, directory.PropMailNickname:
		return "Shorten the user's value." // always exported
	}
	return "Shorten the user's value, or switch off the export of " + name + "."
}

// checkForm holds values of a fixed form against it.
func checkForm(name, s string) *directory.Problem {
	switch {
	case name == directory.PropUsageLocation && !means(s, UsageLocation):
		return refuse("usage-location-invalid", fmt.Sprintf("usageLocation must be a country, by its code of two letters (ISO 3166), such as DE, or by its name, not %q.", s), "Correct the user's usageLocation.")
	case name == "preferredLanguage" && !means(s, PreferredLanguage):
		return refuse("preferred-language-invalid", fmt.Sprintf("preferredLanguage must be a language tag such as en-US, not %q.", s), "Correct the user's preferredLanguage.")
	case name == directory.PropOtherMails && !asciiMail.MatchString(s):
		return refuse("other-mail-invalid", "otherMails takes an address with a domain and without blanks and accents only.", "Correct the user's alternateEmail.")
	}
	return nil
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
	if len(n) > maxLength[directory.PropMailNickname] {
		n = n[:maxLength[directory.PropMailNickname]]
	}
	return strings.Trim(n, ".")
}

// means reports whether a value is the code that it means.
func means(s string, mean func(string) (string, bool)) bool {
	code, ok := mean(s)
	return ok && code == s
}

func refuse(code, message, next string) *directory.Problem {
	return &directory.Problem{Code: code, Message: message, Next: next}
}
