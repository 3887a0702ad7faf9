package graph

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

var (
	upnRE      = regexp.MustCompile(`^[A-Za-z0-9'.\-_!#^~]{1,64}@[A-Za-z0-9.\-]{1,48}$`)
	nicknameRE = regexp.MustCompile(`^[!#$%&'*+\-./0-9=?A-Z^_` + "`" + `a-z{|}~]+$`)
	languageRE = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	countryRE  = regexp.MustCompile(`^[A-Za-z]{2}$`)
	mailRE     = regexp.MustCompile(`^[!-?A-~]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$`)
)

// checkValue validates one value that a client sends and returns it as it is kept.
func checkValue(resource, name string, p state.Property, v any) (any, *odata.Error) {
	if v == nil {
		switch {
		case p.Clear && p.Type == state.Strings:
			return []any{}, nil
		case p.Clear:
			return nil, nil
		}
		return nil, invalidValue(resource, name)
	}
	switch p.Type {
	case state.String:
		s, ok := v.(string)
		if !ok {
			return nil, wrongType(name, "Edm.String")
		}
		return s, checkText(resource, name, p, s)
	case state.Bool:
		if _, ok := v.(bool); !ok {
			return nil, wrongType(name, "Edm.Boolean")
		}
	case state.Time:
		s, ok := v.(string)
		if !ok {
			return nil, wrongType(name, "Edm.DateTimeOffset")
		}
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, wrongType(name, "Edm.DateTimeOffset")
		}
		return state.Stamp(at), nil
	case state.Strings:
		return checkList(resource, name, p, v)
	case state.Record:
		return checkRecord(resource, name, p, v)
	}
	return v, nil
}

func checkText(resource, name string, p state.Property, s string) *odata.Error {
	switch {
	case strings.TrimSpace(s) == "":
		return invalidValue(resource, name)
	case p.Max > 0 && utf8.RuneCountInString(s) > p.Max:
		return invalidLength(resource, name)
	}
	ok := true
	switch name {
	case "usageLocation":
		ok = countryRE.MatchString(s)
	case "preferredLanguage":
		ok = languageRE.MatchString(s)
	case "mailNickname":
		ok = nicknameRE.MatchString(s)
		if resource == "Group" {
			ok = !strings.ContainsAny(s, "@()\\[]\";:.<>, ") && isASCII(s)
		}
	case "mail":
		ok = mailRE.MatchString(s)
	case "onPremisesImmutableId":
		ok = !strings.ContainsAny(s, "$_")
	case "userPrincipalName":
		ok = upnRE.MatchString(s) && !strings.HasPrefix(s, ".") && !strings.Contains(s, ".@")
	case "userType":
		ok = s == "Member" || s == "Guest"
	case "ageGroup":
		ok = slices.Contains([]string{"Minor", "NotAdult", "Adult"}, s)
	case "consentProvidedForMinor":
		ok = slices.Contains([]string{"Granted", "Denied", "NotRequired"}, s)
	case "passwordPolicies":
		for _, part := range strings.Split(s, ",") {
			ok = ok && slices.Contains([]string{"None", "DisableStrongPassword", "DisablePasswordExpiration"}, strings.TrimSpace(part))
		}
	}
	if !ok || strings.ContainsAny(s, "\x00") || !utf8.ValidString(s) {
		return invalidValue(resource, name)
	}
	return nil
}

func checkList(resource, name string, p state.Property, v any) (any, *odata.Error) {
	list, ok := v.([]any)
	if !ok {
		return nil, wrongType(name, "Collection(Edm.String)")
	}
	if name == "businessPhones" && len(list) > 1 || name == "otherMails" && len(list) > 250 {
		return nil, invalidValue(resource, name)
	}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, wrongType(name, "Collection(Edm.String)")
		}
		if err := checkText(resource, name, p, s); err != nil {
			return nil, err
		}
		if name == "otherMails" && !mailRE.MatchString(s) {
			return nil, invalidValue(resource, name)
		}
	}
	return list, nil
}

func checkRecord(resource, name string, p state.Property, v any) (any, *odata.Error) {
	in, ok := v.(map[string]any)
	if !ok {
		return nil, wrongType(name, "a complex type")
	}
	out := map[string]any{}
	for key, value := range in {
		if strings.Contains(key, "@odata.") {
			continue
		}
		if !slices.Contains(p.Members, key) {
			return nil, unknownProperty(key, name)
		}
		if value != nil {
			s, ok := value.(string)
			if !ok {
				return nil, wrongType(key, "Edm.String")
			}
			if strings.TrimSpace(s) == "" {
				return nil, invalidValue(resource, key)
			}
			if utf8.RuneCountInString(s) > 1024 {
				return nil, invalidLength(resource, key)
			}
		}
		out[key] = value
	}
	return out, nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
