package directory

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Settings of a connection. Every member is optional; a zero member means the
// default that Defaulted fills in.
type Settings struct {
	// Attributes switches properties beyond those that are always exported,
	// by Graph's name.
	Attributes    map[string]AttributeRule `json:"attributes,omitempty"`
	DomainMap     map[string]string        `json:"domainMap,omitempty"` // our domain → theirs
	DefaultDomain string                   `json:"defaultDomain,omitempty"`
	Interval      Duration                 `json:"interval,omitempty"` // 5m to 24h
	Mode          Mode                     `json:"mode,omitempty"`
	// ForeignChange says what is done when only the tenant changed a managed
	// value: by property name, with the key "default" for the rest.
	ForeignChange map[string]ForeignPolicy `json:"foreignChange,omitempty"`
	OnRelease     ReleasePolicy            `json:"onRelease,omitempty"`
	OnDelete      string                   `json:"onDelete,omitempty"`      // block, delete
	OnSoftDeleted string                   `json:"onSoftDeleted,omitempty"` // report, restore
	InitialAccess string                   `json:"initialAccess,omitempty"` // none, temporary-password
	// AdoptedUserPrincipalName says what leads the sign-in name of an adopted
	// account that is not made of its user's e-mail address.
	AdoptedUserPrincipalName AdoptedName `json:"adoptedUserPrincipalName,omitempty"`
	// TemporaryPasswordHours is how long after the creation of an account its
	// temporary password can be shown.
	TemporaryPasswordHours int `json:"temporaryPasswordHours,omitempty"`

	Import    ImportSettings   `json:"import,omitzero"`
	Guard     map[Effect]Limit `json:"guard,omitempty"`
	Breaker   BreakerSettings  `json:"breaker,omitzero"`
	Protected []string         `json:"protected,omitempty"` // account IDs or userPrincipalNames
	// ProtectGroups has members and owners of groups that can be given roles found,
	// which needs a permission of its own. nil means true: who is protected is known
	// completely unless an admin says that it need not be.
	ProtectGroups *bool `json:"protectGroups,omitempty"`
	// AuditLog wants the optional permission to read Microsoft's audit log: it is
	// asked for at the next authorisation.
	AuditLog bool `json:"auditLog,omitempty"`
	// AllowGoDaddy takes a tenant although GoDaddy sold it.
	AllowGoDaddy bool `json:"allowGoDaddy,omitempty"`
	// UpdateMailNickname has the mailNickname of accounts follow the user's address.
	// Without it, it is set at creation, and when an account has none: it is the
	// alias of the mailbox.
	UpdateMailNickname bool `json:"updateMailNickname,omitempty"`
	// Manager says whether the managers of users are written.
	Manager ManagerSettings `json:"manager,omitzero"`
	// Groups has the permission to write groups asked for at the next authorisation,
	// before a rule wants it.
	Groups bool `json:"groups,omitempty"`
	// Licences has the permission to give licences asked for at the next authorisation,
	// before a rule wants it.
	Licences bool `json:"licences,omitempty"`
	// DefaultUsageLocation is the country of accounts that are to have a licence and
	// have none, of users who have none.
	DefaultUsageLocation string `json:"defaultUsageLocation,omitempty"`
	// KeepBeforeDays is how long the values of accounts from before their
	// binding are kept after it has ended.
	KeepBeforeDays int `json:"keepBeforeDays,omitempty"`
	// FourEyes has whoever asked for a thing not decide about it: see OtherEyes.
	FourEyes bool `json:"fourEyes,omitempty"`
}

// Planned returns the settings without those that make nothing else of a user's
// account: they say when and how it is written.
func (s Settings) Planned() Settings {
	s.Interval, s.Guard, s.Mode, s.Breaker, s.KeepBeforeDays, s.AllowGoDaddy, s.FourEyes = 0, nil, "", BreakerSettings{}, 0, false, false
	s.TemporaryPasswordHours = 0
	return s
}

// AttributeRule switches the export of one property.
type AttributeRule struct {
	Export bool `json:"export"`
	// Clear empties the account's value when the user's is empty; without it
	// an empty value is left alone.
	Clear bool `json:"clear,omitempty"`
	// From names the custom attribute that feeds an extension attribute; its
	// default is the extension attribute's own name.
	From string `json:"from,omitempty"`
}

// Mode says whether runs apply by themselves.
type Mode string

// The modes.
const (
	ModeAutomatic Mode = "automatic"
	ModeApprove   Mode = "approve" // every run is held for an admin
)

// ForeignPolicy is what to do with a value that only the tenant changed.
type ForeignPolicy string

// The policies.
const (
	ForeignRevert ForeignPolicy = "revert"
	ForeignReport ForeignPolicy = "report"
)

// What ForeignChange speaks of besides properties of accounts: names and descriptions
// of exported groups, and who their members are.
const (
	ForeignGroups  = "groups"
	ForeignMembers = "members"
)

// AdoptedName says whether adopting an account may change its sign-in name.
type AdoptedName string

// The values of AdoptedUserPrincipalName. An account that we created, and one
// whose userPrincipalName was the user's address at some time since it is bound,
// follows the address in any case.
const (
	AdoptedNameKeep  AdoptedName = "keep"  // the account's userPrincipalName leads: it stays
	AdoptedNameEmail AdoptedName = "email" // the user's e-mail address leads: the account is renamed to it
)

// ImportSettings say what an import brings.
type ImportSettings struct {
	Attributes []string  `json:"attributes,omitempty"` // Graph's names, beyond names and addresses
	State      UserState `json:"state,omitempty"`      // staged or active
	Photos     bool      `json:"photos,omitempty"`
}

// ManagerSettings say what is written of the managers of users. Without Export
// nothing is.
type ManagerSettings struct {
	Export bool `json:"export,omitempty"`
	// Clear takes an account's manager away when the user has none.
	Clear bool `json:"clear,omitempty"`
}

// Duration is a time.Duration that is written as text in JSON ("15m").
type Duration time.Duration

// MarshalText writes "15m0s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 15m or 2h", text)
	}
	*d = Duration(v)
	return nil
}

// Bounds and defaults of settings.
const (
	MinInterval     = 5 * time.Minute
	MaxInterval     = 24 * time.Hour
	DefaultInterval = 15 * time.Minute
	// Days that before-images are kept.
	DefaultKeepBefore = 90
	MaxKeepBefore     = 3650
	// Hours that temporary passwords can be shown: a long weekend, a month.
	DefaultTemporaryPassword = 72
	MaxTemporaryPassword     = 744
)

// ParseSettings reads settings strictly: an unknown key is refused by name,
// and what is there must be valid. The error is a *Refusal.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		detail := strings.TrimPrefix(err.Error(), "json: ")
		if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			kind, _, _ := strings.Cut(typ.Value, " ") // a number's value may follow
			detail = fmt.Sprintf("settings.%s must not be of type %s", jsonPath(data, typ.Offset), kind)
		}
		return s, Refuse(ErrInvalid, CodeInvalidSettings, "The settings cannot be read: "+detail+".",
			"Correct them; shared/directory/README.md lists every key.")
	}
	if _, err := dec.Token(); err != io.EOF {
		return s, Refuse(ErrInvalid, CodeInvalidSettings, "The settings have something behind their closing brace.",
			"Send one JSON object.")
	}
	s.tidy()
	return s, s.Validate()
}

// tidy leaves out of names of domains and accounts what nobody sees.
func (s *Settings) tidy() {
	s.DefaultDomain = TidyAddress(s.DefaultDomain)
	for i, p := range s.Protected {
		s.Protected[i] = TidyAddress(p)
	}
	for from, to := range s.DomainMap {
		if tidy := TidyAddress(from); tidy != from {
			if _, twice := s.DomainMap[tidy]; twice {
				continue // Validate says so
			}
			delete(s.DomainMap, from)
			from = tidy
		}
		s.DomainMap[from] = TidyAddress(to)
	}
}

// foreignNames are the keys of foreignChange besides properties of accounts.
var foreignNames = []string{"default", ForeignGroups, ForeignMembers, PropManager, PropLicences}

// Validate reports every fault at once as a *Refusal, or nil.
func (s *Settings) Validate() error {
	var f []FieldError
	bad := func(field, format string, args ...any) {
		f = append(f, FieldError{Field: "settings." + field, Detail: fmt.Sprintf(format, args...)})
	}
	s.validateAttributes(bad)
	s.validateDomains(bad)
	if d := time.Duration(s.Interval); d != 0 && (d < MinInterval || d > MaxInterval) {
		bad("interval", "must lie between 5m and 24h, not %s", d)
	}
	oneOf(bad, "mode", string(s.Mode), "automatic", "approve")
	for _, name := range slices.Sorted(maps.Keys(s.ForeignChange)) {
		if !slices.Contains(foreignNames, name) && !IsProperty(name) {
			bad("foreignChange."+name, "is not a property that is managed")
		}
		oneOf(bad, "foreignChange."+name, string(s.ForeignChange[name]), "revert", "report")
	}
	oneOf(bad, "onRelease", string(s.OnRelease), "keep", "block", "restore")
	oneOf(bad, "onDelete", s.OnDelete, "block", "delete")
	oneOf(bad, "onSoftDeleted", s.OnSoftDeleted, "report", "restore")
	oneOf(bad, "initialAccess", s.InitialAccess, "none", "temporary-password")
	oneOf(bad, "adoptedUserPrincipalName", string(s.AdoptedUserPrincipalName), "keep", "email")
	oneOf(bad, "import.state", string(s.Import.State), "staged", "active")
	for _, name := range s.Import.Attributes {
		if a, known := AttributeOf(name); !known || a.Import != UseBySetting {
			bad("import.attributes", "%q is not a property that can be imported", name)
		}
	}
	if s.TemporaryPasswordHours < 0 || s.TemporaryPasswordHours > MaxTemporaryPassword {
		bad("temporaryPasswordHours", "must lie between 1 and %d", MaxTemporaryPassword)
	}
	if s.KeepBeforeDays < 0 || s.KeepBeforeDays > MaxKeepBefore {
		bad("keepBeforeDays", "must lie between 1 and %d", MaxKeepBefore)
	}
	if l := s.DefaultUsageLocation; l != "" && !countryCode().MatchString(l) {
		bad("defaultUsageLocation", "must be a country code of two letters such as CH, not %q", l)
	}
	s.validateGuard(bad)
	s.Breaker.validate(bad)
	s.validateProtected(bad)
	if len(f) == 0 {
		return nil
	}
	r := Refuse(ErrInvalid, CodeInvalidSettings, "The settings were not accepted and nothing was changed.", "")
	r.Fields = f
	return r
}

func (s *Settings) validateAttributes(bad func(field, format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		rule := s.Attributes[name]
		a, known := AttributeOf(name)
		switch {
		case known && a.Export == UseAlways:
			bad("attributes."+name, "is always exported and cannot be switched")
		case !known || a.Export == UseNever:
			bad("attributes."+name, "is not a property that can be exported; there are %s and extensionAttribute1 to extensionAttribute15",
				strings.Join(OptionalProperties, ", "))
		case rule.From != "" && a.Custom == "":
			bad("attributes."+name+".from", "is for extension attributes only")
		case rule.Clear && !a.Clearable:
			bad("attributes."+name+".clear", "Microsoft does not let %s be cleared", name)
		}
	}
}

func (s *Settings) validateDomains(bad func(field, format string, args ...any)) {
	mapped := map[string]string{}
	for _, from := range slices.Sorted(maps.Keys(s.DomainMap)) {
		if !validDomain(from) {
			bad("domainMap", "%q is not a domain", from)
		}
		if other, twice := mapped[FoldDomain(from)]; twice && s.DomainMap[from] != s.DomainMap[other] {
			bad("domainMap", "%q and %q are one domain, mapped to two", other, from)
		}
		mapped[FoldDomain(from)] = from
		if to := s.DomainMap[from]; !validDomain(to) {
			bad("domainMap."+from, "%q is not a domain", to)
		}
	}
	if s.DefaultDomain != "" && !validDomain(s.DefaultDomain) {
		bad("defaultDomain", "%q is not a domain", s.DefaultDomain)
	}
}

// validateProtected refuses an entry that fits no account: it would protect
// nobody, and nobody would know.
func (s *Settings) validateProtected(bad func(field, format string, args ...any)) {
	for _, p := range s.Protected {
		switch p := strings.TrimSpace(p); {
		case p == "":
			bad("protected", "has an empty entry")
		case !accountRef().MatchString(p):
			bad("protected", "%q is neither the ID of an account nor a userPrincipalName", p)
		}
	}
}

// accountRef is what names an account: its ID or its userPrincipalName.
var accountRef = Pattern(`^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[^\s/\\@]+@[^\s/\\@]+)$`)

// countryCode is a code of ISO 3166 with two letters.
var countryCode = Pattern(`^[A-Z]{2}$`)

func oneOf(bad func(field, format string, args ...any), field, got string, allowed ...string) {
	if got != "" && !slices.Contains(allowed, got) {
		bad(field, "must be %s, not %q", strings.Join(allowed, " or "), got)
	}
}

// Defaulted returns the settings with every default filled in. The maps are shared.
func (s Settings) Defaulted() Settings {
	s.Interval = cmp.Or(s.Interval, Duration(DefaultInterval))
	s.Mode = cmp.Or(s.Mode, ModeAutomatic)
	s.OnRelease = cmp.Or(s.OnRelease, ReleaseKeep)
	s.OnDelete = cmp.Or(s.OnDelete, "block")
	s.OnSoftDeleted = cmp.Or(s.OnSoftDeleted, "report")
	s.InitialAccess = cmp.Or(s.InitialAccess, "none")
	s.AdoptedUserPrincipalName = cmp.Or(s.AdoptedUserPrincipalName, AdoptedNameKeep)
	s.Import.State = cmp.Or(s.Import.State, StateActive)
	s.TemporaryPasswordHours = cmp.Or(s.TemporaryPasswordHours, DefaultTemporaryPassword)
	s.KeepBeforeDays = cmp.Or(s.KeepBeforeDays, DefaultKeepBefore)
	s.ProtectGroups = cmp.Or(s.ProtectGroups, new(true))
	return s
}

// Foreign returns what to do when only the tenant changed the property.
func (s *Settings) Foreign(property string) ForeignPolicy {
	if p, ok := s.ForeignChange[property]; ok {
		return p
	}
	return cmp.Or(s.ForeignChange["default"], ForeignRevert)
}

// validDomain accepts what a DNS name of at least two labels may look like.
func validDomain(d string) bool {
	if len(d) > 253 || !strings.Contains(d, ".") {
		return false
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, r := range label {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r > 127) {
				return false
			}
		}
	}
	return true
}
