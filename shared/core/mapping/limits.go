package mapping

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"bindery/shared/directory"
)

// Microsoft's limits on the two parts of a userPrincipalName; those of the other
// properties stand in the table of attributes.
const (
	maxLocal  = 64
	maxDomain = 48
)

var (
	asciiMail       = directory.Pattern(`^[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	mailAddressLike = directory.Pattern(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
)

func length(s string) int { return len(utf16.Encode([]rune(s))) }

// checkUserPrincipalName holds an address, in lower case, against Microsoft's
// rules for userPrincipalName.
func checkUserPrincipalName(local, domain string) *directory.Problem {
	const next = "Change the user's e-mail address."
	if n := length(local); n > maxLocal {
		return refuse(directory.CodeAddressTooLong, fmt.Sprintf("The part of userPrincipalName before the @ has %d characters; Microsoft allows %d.", n, maxLocal), next)
	}
	if n := length(domain); n > maxDomain {
		return refuse(directory.CodeAddressTooLong, fmt.Sprintf("The domain of userPrincipalName has %d characters; Microsoft allows %d.", n, maxDomain), next)
	}
	if bad := strings.Map(dropLegal, local); bad != "" {
		return refuse(directory.CodeAddressInvalid, fmt.Sprintf(
			"The part of userPrincipalName before the @ has %q; Microsoft allows letters without accents, digits and ' . - _ ! # ^ ~.", bad), next)
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(local, "..") {
		return refuse(directory.CodeAddressInvalid, "The part of userPrincipalName before the @ begins or ends with a dot, or has two in a row.", next)
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
func check(a *directory.Attribute, v directory.Value) *directory.Problem {
	if s, ok := v.Text(); ok {
		return checkText(a, s)
	}
	list, _ := v.List()
	for _, s := range list {
		if p := checkText(a, s); p != nil {
			return p
		}
	}
	return nil
}

func checkText(a *directory.Attribute, s string) *directory.Problem {
	// Code units are never more than bytes.
	if a.MaxUnits > 0 && len(s) > a.MaxUnits {
		if n := length(s); n > a.MaxUnits {
			return refuse(directory.CodeValueTooLong, fmt.Sprintf("%s has %d characters; Microsoft allows %d.", a.Property, n, a.MaxUnits), shorten(a))
		}
	}
	return checkForm(a, s)
}

func shorten(a *directory.Attribute) string {
	if a.Export == directory.UseAlways {
		return "Shorten the user's value."
	}
	return "Shorten the user's value, or switch off the export of " + a.Property + "."
}

// checkForm holds values of a fixed form against it.
func checkForm(a *directory.Attribute, s string) *directory.Problem {
	switch a.Form {
	case directory.FormCountry:
		if code, ok := Code(a.Form, s); !ok || code != s {
			return refuse(directory.CodeUsageLocationInvalid, fmt.Sprintf("usageLocation must be a country, by its code of two letters (ISO 3166), such as DE, or by its name, not %q.", s), "Correct the user's usageLocation.")
		}
	case directory.FormLanguage:
		if tag, ok := Code(a.Form, s); !ok || tag != s {
			return refuse(directory.CodePreferredLanguageInvalid, fmt.Sprintf("preferredLanguage must be a language tag such as en-US, not %q.", s), "Correct the user's preferredLanguage.")
		}
	case directory.FormEmail:
		// checkUserPrincipalName has looked at the other address.
		if a.Property == directory.PropOtherMails && !asciiMail().MatchString(s) {
			return refuse(directory.CodeOtherMailInvalid, "otherMails takes an address with a domain and without blanks and accents only.", "Correct the user's alternateEmail.")
		}
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
	if a, _ := directory.AttributeOf(directory.PropMailNickname); len(n) > a.MaxUnits {
		n = n[:a.MaxUnits]
	}
	return strings.Trim(n, ".")
}

func refuse(code, message, next string) *directory.Problem {
	return &directory.Problem{Code: code, Message: message, Next: next}
}
