package mapping_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

func domains(names ...string) []directory.Domain {
	var list []directory.Domain
	for _, n := range names {
		list = append(list, directory.Domain{Name: n, AuthenticationType: "Managed"})
	}
	return list
}

// A domain that the tenant has lost is said to be lost, and gives way to nothing
// but a mapping.
func TestAddressInLostDomain(t *testing.T) {
	list := append(domains("m365.example"), directory.Domain{Name: "Lost.example", LostSince: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)})
	for to, code := range map[string]string{"": "domain-lost", "m365.example": ""} {
		s := directory.Settings{DefaultDomain: "m365.example"}
		if to != "" {
			s.DomainMap = map[string]string{"lost.example": to}
		}
		got, p := mapping.New(s, list).Address(user(func(u *directory.User) { u.Email = "ann@lost.example" }))
		if code == "" && (p != nil || got != "ann@m365.example") || code != "" && (p == nil || p.Code != code || !strings.Contains(p.Message, "2026-03-02")) {
			t.Errorf("mapped to %q: %q, %+v", to, got, p)
		}
	}
}

func user(edit func(*directory.User)) *directory.User {
	u := &directory.User{ID: "usr_1", Profile: directory.Profile{Email: "Ann.Smith@Corp.Example", GivenName: "Ann", FamilyName: "Smith", State: directory.StateActive}}
	if edit != nil {
		edit(u)
	}
	return u
}

func TestAddress(t *testing.T) {
	settings := directory.Settings{DomainMap: map[string]string{"Corp.example": "M365.example", "lost.example": "elsewhere.example"}, DefaultDomain: "tenant.example"}
	claimed := domains("m365.example", "Tenant.Example", strings.Repeat("d", 45)+".example")
	for _, tt := range []struct {
		email, want, code string
	}{
		{"Ann@corp.example", "ann@m365.example", ""},
		{" ann@TENANT.example ", "ann@tenant.example", ""},
		{"ann@m365.example", "ann@m365.example", ""},
		{"o'neil_x-y!#^~@corp.example", "o'neil_x-y!#^~@m365.example", ""},
		{"ann@other.example", "ann@tenant.example", ""},
		{"ann@lost.example", "", "domain-not-claimed"},
		{"", "", "address-missing"},
		{" \u200b", "", "address-missing"},
		{"ann", "", "address-invalid"},
		{"@corp.example", "", "address-invalid"},
		{"ann@", "", "address-invalid"},
		{"josé@corp.example", "", "address-invalid"},
		{"a+b@corp.example", "", "address-invalid"},
		{"a b@corp.example", "", "address-invalid"},
		{"a@b@corp.example", "", "address-invalid"},
		{".ann@corp.example", "", "address-invalid"},
		{"an..n@corp.example", "", "address-invalid"},
		{"ann.@corp.example", "", "address-invalid"},
		{strings.Repeat("a", 64) + "@corp.example", strings.Repeat("a", 64) + "@m365.example", ""},
		{strings.Repeat("a", 65) + "@corp.example", "", "address-too-long"},
		{"ann@" + strings.Repeat("d", 45) + ".example", "", "address-too-long"},
	} {
		m := mapping.New(settings, claimed)
		got, p := m.Address(user(func(u *directory.User) { u.Email = tt.email }))
		code := ""
		if p != nil {
			code = p.Code
			if p.Message == "" || p.Next == "" {
				t.Errorf("Address(%q): problem %+v without message or next step", tt.email, p)
			}
		}
		if got != tt.want || code != tt.code {
			t.Errorf("Address(%q) = %q, %q, want %q, %q", tt.email, got, code, tt.want, tt.code)
		}
	}
}

func TestAddressNamesClaimedDomains(t *testing.T) {
	u := user(func(u *directory.User) { u.Email = "ann@foreign.example" })
	_, p := mapping.New(directory.Settings{}, domains("b.example", "A.example")).Address(u)
	if p == nil || p.Code != "domain-not-claimed" || !strings.Contains(p.Next, "a.example, b.example") || !strings.Contains(p.Message, "foreign.example") {
		t.Errorf("problem = %+v, want the claimed domains in order", p)
	}
	var many []string
	for i := range 400 {
		many = append(many, strings.Repeat("x", i%20+1)+string(rune('a'+i/20))+".example")
	}
	if _, p = mapping.New(directory.Settings{}, domains(many...)).Address(u); len(p.Next) > 3000 || !strings.Contains(p.Next, "350 more") {
		t.Errorf("Next has %d bytes for 400 domains: %s", len(p.Next), p.Next)
	}
	if _, p = mapping.New(directory.Settings{}, nil).Address(u); p == nil || p.Next == "" {
		t.Errorf("problem without any domain = %+v", p)
	}
}

// everything exports all there is, and clears what is empty.
func everything(clear bool) directory.Settings {
	s := directory.Settings{Attributes: map[string]directory.AttributeRule{}}
	for _, n := range directory.OptionalProperties {
		s.Attributes[n] = directory.AttributeRule{Export: true, Clear: clear && n != directory.PropUsageLocation}
	}
	s.Attributes["extensionAttribute1"] = directory.AttributeRule{Export: true, Clear: clear}
	s.Attributes["extensionAttribute15"] = directory.AttributeRule{Export: true, Clear: clear, From: "badge"}
	return s
}

func TestDesired(t *testing.T) {
	text := directory.StringValue
	u := user(func(u *directory.User) {
		u.DisplayName, u.AlternateEmail, u.Phones = " Ann  S. ", "Ann@Home.Example ", directory.Phones{Work: "+49 30\u00a01", Mobile: "0170/1"}
		u.WorkAddress = directory.WorkAddress{StreetAddress: " Main 1\nFloor 2 ", City: "Ko\u0308ln", State: "NRW", PostalCode: "50667", Country: "Germany"}
		u.Department, u.JobTitle, u.Location, u.Company = "Sales", "Head", "B 12", "Corp"
		u.EmployeeID, u.EmployeeType, u.UsageLocation, u.PreferredLanguage = "E1", "Staff", "de", "de-DE"
		u.CostCenter, u.ManagerID = "4711", "usr_2"
		u.CustomAttributes = map[string]string{"extensionAttribute1": "one", "badge": "B7", "unused": "x"}
	})
	want := directory.Properties{
		"accountEnabled": directory.BoolValue(true), "userPrincipalName": text("ann.smith@corp.example"), "mailNickname": text("ann.smith"),
		"displayName": text("Ann  S."), "givenName": text("Ann"), "surname": text("Smith"),
		"otherMails": directory.ListValue("ann@home.example"), "businessPhones": directory.ListValue("+49 30\u00a01"), "mobilePhone": text("0170/1"),
		"streetAddress": text("Main 1\nFloor 2"), "city": text("K\u00f6ln"), "state": text("NRW"), "postalCode": text("50667"), "country": text("Germany"),
		"department": text("Sales"), "jobTitle": text("Head"), "officeLocation": text("B 12"), "companyName": text("Corp"),
		"employeeId": text("E1"), "employeeType": text("Staff"), "usageLocation": text("DE"), "preferredLanguage": text("de-DE"),
		"extensionAttribute1": text("one"), "extensionAttribute15": text("B7"),
	}
	m := mapping.New(everything(false), domains("corp.example"))
	got, problems := m.Desired(u)
	if len(problems) > 0 {
		t.Fatalf("problems = %+v", problems)
	}
	compare(t, "Desired", got, want)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, m.Managed()) {
		t.Errorf("Managed() = %v, want %v", m.Managed(), names)
	}

	// Only what is always exported, without any setting.
	got, _ = mapping.New(directory.Settings{}, domains("corp.example")).Desired(u)
	if len(got) != 6 {
		t.Errorf("Desired without settings = %v, want the six that are always exported", got)
	}
	if got := mapping.New(directory.Settings{}, nil).Selected(); !slices.Contains(got, "employeeId") || len(got) != 7 || !slices.IsSorted(got) {
		t.Errorf("Selected() = %v", got)
	}
}

func compare(t *testing.T, what string, got, want directory.Properties) {
	t.Helper()
	for _, n := range slices.Sorted(maps.Keys(want)) {
		if g, ok := got[n]; !ok || !g.Equal(want[n]) {
			t.Errorf("%s: %s = %q, want %q", what, n, g, want[n])
		}
	}
	for _, n := range got.Names() {
		if _, ok := want[n]; !ok {
			t.Errorf("%s: %s = %q, want it absent", what, n, got[n])
		}
	}
}

func TestDesiredOfEmptyValues(t *testing.T) {
	bare := user(func(u *directory.User) { u.GivenName, u.FamilyName = "", " " })
	kept, problems := mapping.New(everything(false), domains("corp.example")).Desired(bare)
	if len(problems) > 0 {
		t.Fatalf("problems = %+v", problems)
	}
	compare(t, "without clear", kept, directory.Properties{
		"accountEnabled": directory.BoolValue(true), "userPrincipalName": directory.StringValue("ann.smith@corp.example"),
		"mailNickname": directory.StringValue("ann.smith"), "displayName": directory.StringValue("Ann.Smith"),
	})
	s := everything(true)
	s.Attributes["usageLocation"] = directory.AttributeRule{Export: true, Clear: true} // whatever the settings say
	cleared, _ := mapping.New(s, domains("corp.example")).Desired(bare)
	for _, n := range append(slices.Clone(directory.OptionalProperties), "extensionAttribute1") {
		v, ok := cleared[n]
		if clear := n != directory.PropUsageLocation; ok != clear || !v.IsNull() {
			t.Errorf("with clear: %s = %q, %v, want Null, %v", n, v, ok, clear)
		}
	}
}

func TestDesiredOfStates(t *testing.T) {
	gone := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		state   directory.UserState
		deleted *time.Time
		want    bool
	}{
		{directory.StateActive, nil, true}, {directory.StateSuspended, nil, false}, {directory.StateStaged, nil, false}, {directory.StateActive, &gone, false},
	} {
		got, _ := mapping.New(directory.Settings{}, nil).Desired(user(func(u *directory.User) { u.State, u.Deleted, u.Email = tt.state, tt.deleted, "" }))
		if v, ok := got["accountEnabled"].Bool(); !ok || v != tt.want {
			t.Errorf("accountEnabled of a user %s, deleted %v = %v, %v, want %v", tt.state, tt.deleted != nil, v, ok, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		name string
		edit func(*directory.User)
		code string // "" when within the limits
		says []string
	}{
		{"displayName 256", func(u *directory.User) { u.DisplayName = long(256) }, "", nil},
		{"displayName 257", func(u *directory.User) { u.DisplayName = long(257) }, "value-too-long", []string{"displayName", "257", "256"}},
		{"givenName 65", func(u *directory.User) { u.GivenName = long(65) }, "value-too-long", []string{"givenName", "64"}},
		{"surname 65", func(u *directory.User) { u.FamilyName = long(65) }, "value-too-long", []string{"surname", "64"}},
		{"surname 64 with accents", func(u *directory.User) { u.FamilyName = strings.Repeat("é", 64) }, "", nil},
		{"surname in UTF-16", func(u *directory.User) { u.FamilyName = strings.Repeat("𝒜", 33) }, "value-too-long", []string{"surname", "66"}},
		{"jobTitle", func(u *directory.User) { u.JobTitle = long(129) }, "value-too-long", []string{"jobTitle", "128"}},
		{"department", func(u *directory.User) { u.Department = long(65) }, "value-too-long", []string{"department", "64"}},
		{"companyName", func(u *directory.User) { u.Company = long(65) }, "value-too-long", []string{"companyName"}},
		{"city", func(u *directory.User) { u.WorkAddress.City = long(129) }, "value-too-long", []string{"city"}},
		{"state", func(u *directory.User) { u.WorkAddress.State = long(129) }, "value-too-long", []string{"state"}},
		{"country", func(u *directory.User) { u.WorkAddress.Country = long(129) }, "value-too-long", []string{"country"}},
		{"street", func(u *directory.User) { u.WorkAddress.StreetAddress = long(1025) }, "value-too-long", []string{"streetAddress", "1024"}},
		{"postalCode", func(u *directory.User) { u.WorkAddress.PostalCode = long(41) }, "value-too-long", []string{"postalCode", "40"}},
		{"office", func(u *directory.User) { u.Location = long(129) }, "value-too-long", []string{"officeLocation"}},
		{"mobile", func(u *directory.User) { u.Phones.Mobile = long(65) }, "value-too-long", []string{"mobilePhone", "64"}},
		{"work phone", func(u *directory.User) { u.Phones.Work = long(65) }, "value-too-long", []string{"businessPhones", "64"}},
		{"employeeId 16", func(u *directory.User) { u.EmployeeID = long(16) }, "", nil},
		{"employeeId 17", func(u *directory.User) { u.EmployeeID = long(17) }, "value-too-long", []string{"employeeId", "16"}},
		{"extension", func(u *directory.User) { u.CustomAttributes = map[string]string{"badge": long(1025)} }, "value-too-long", []string{"extensionAttribute15", "1024"}},
		{"usageLocation", func(u *directory.User) { u.UsageLocation = "Narnia" }, "usage-location-invalid", []string{"usageLocation", "Narnia"}},
		{"usageLocation with a digit", func(u *directory.User) { u.UsageLocation = "D1" }, "usage-location-invalid", nil},
		{"preferredLanguage", func(u *directory.User) { u.PreferredLanguage = "klingonish" }, "preferred-language-invalid", []string{"en-US", "klingonish"}},
		{"preferredLanguage with script", func(u *directory.User) { u.PreferredLanguage = "zh-Hant-TW" }, "", nil},
		{"otherMails", func(u *directory.User) { u.AlternateEmail = "josé@home.example" }, "other-mail-invalid", []string{"otherMails"}},
		{"otherMails without domain", func(u *directory.User) { u.AlternateEmail = "ann@home" }, "other-mail-invalid", nil},
		{"otherMails too long", func(u *directory.User) { u.AlternateEmail = long(240) + "@home.example" }, "value-too-long", []string{"otherMails", "250"}},
		{"no names and no address", func(u *directory.User) { u.Email, u.GivenName, u.FamilyName = "", "", "" }, "address-missing display-name-missing", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := mapping.New(everything(false), domains("corp.example")).Desired(user(tt.edit))
			var codes []string
			for _, p := range problems {
				codes = append(codes, p.Code)
				for _, s := range tt.says {
					if !strings.Contains(p.Message, s) {
						t.Errorf("message %q does not say %q", p.Message, s)
					}
				}
				if p.Next == "" {
					t.Errorf("%s says no next step", p.Code)
				}
			}
			if strings.Join(codes, " ") != tt.code {
				t.Errorf("codes = %v, want %q", codes, tt.code)
			}
			if _, ok := got["accountEnabled"]; !ok {
				t.Error("accountEnabled is missing: a block could not go through")
			}
		})
	}
}

func TestProfile(t *testing.T) {
	text := directory.StringValue
	account := func(p directory.Properties) *directory.Account { return &directory.Account{ID: "a1", Properties: p} }
	full := directory.Properties{
		"userPrincipalName": text("Ann@Tenant.example"), "mail": text("Ann.Smith@Corp.example"), "givenName": text(" Ann "), "surname": text("Smith"),
		"displayName": text("Ann Smith"), "businessPhones": directory.ListValue("+1", "+2"), "otherMails": directory.ListValue("a@x.example"),
		"jobTitle": text("Head"), "streetAddress": text("Main 1\nFloor 2"), "extensionAttribute3": text("x"), "department": text("Sales"),
	}
	got, p := mapping.Profile(account(full), []string{"jobTitle", "businessPhones", "otherMails", "streetAddress", "extensionAttribute3", "city"})
	if p != nil {
		t.Fatalf("problem = %+v", p)
	}
	if got.Email != "ann.smith@corp.example" || got.UserName != "ann@tenant.example" || got.GivenName != "Ann" || got.FamilyName != "Smith" ||
		got.DisplayName != "Ann Smith" || got.Phones.Work != "+1" || got.AlternateEmail != "a@x.example" || got.JobTitle != "Head" ||
		got.WorkAddress.StreetAddress != "Main 1\nFloor 2" || got.CustomAttributes["extensionAttribute3"] != "x" {
		t.Errorf("Profile = %+v", got)
	}
	if got.Department != "" {
		t.Errorf("department = %q although nobody asked for it", got.Department)
	}
	for _, tt := range []struct {
		name  string
		props directory.Properties
		email string
		code  string
	}{
		{"no mail", directory.Properties{"userPrincipalName": text("A@b.example"), "surname": text("S")}, "a@b.example", ""},
		{"broken mail", directory.Properties{"userPrincipalName": text("a@b.example"), "mail": text("nothing"), "surname": text("S")}, "a@b.example", ""},
		{"no last name", directory.Properties{"userPrincipalName": text("a@b.example"), "surname": text(" ")}, "a@b.example", "no-last-name"},
		{"no address", directory.Properties{"surname": text("S")}, "", "no-address"},
	} {
		got, p := mapping.Profile(account(tt.props), nil)
		code := ""
		if p != nil {
			code = p.Code
		}
		if got.Email != tt.email || code != tt.code {
			t.Errorf("%s: Profile = %q, %q, want %q, %q", tt.name, got.Email, code, tt.email, tt.code)
		}
	}
}

// What an import brings and exports again is the same: a sync right after an
// import changes nothing but what the directory derives.
func TestImportedProfileIsSame(t *testing.T) {
	text := directory.StringValue
	props := directory.Properties{
		"accountEnabled": directory.BoolValue(true), "userPrincipalName": text("Ann.O'Neil@corp.example"), "mailNickname": text("Ann.O'Neil"),
		"mail": text("ann.o'neil@corp.example"), "displayName": text(" Ann\u00a0 O'Neil"), "givenName": text("A\u0301nn"), "surname": text("O'Neil "),
		"businessPhones": directory.ListValue("+49 (0)30 / 12-34"), "usageLocation": text("DE"), "preferredLanguage": text("de-de"),
		"streetAddress": text("Main 1\r\nFloor 2\r\n"), "otherMails": directory.ListValue("Ann@Home.example"), "department": directory.Null,
	}
	profile, p := mapping.Profile(&directory.Account{Properties: props}, directory.OptionalProperties)
	if p != nil {
		t.Fatal(p)
	}
	profile.State = directory.StateActive
	want, problems := mapping.New(everything(true), domains("corp.example")).Desired(&directory.User{Profile: profile})
	if len(problems) > 0 {
		t.Fatalf("problems = %+v", problems)
	}
	for _, n := range want.Names() {
		if !mapping.Same(n, want[n], props[n]) {
			t.Errorf("%s: imported %q, exported %q", n, props[n], want[n])
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"ann@corp.example", "@", "a@b@corp.example", " A.B@CORP.example", "é@corp.example", "İ@corp.example", "a@other.example", "a\u200b@corp.example"} {
		f.Add(s)
	}
	m := mapping.New(directory.Settings{DomainMap: map[string]string{"other.example": "corp.example"}, DefaultDomain: "corp.example"}, domains("corp.example", "two.example"))
	f.Fuzz(func(t *testing.T, email string) {
		u := user(func(u *directory.User) { u.Email = email })
		got, p := m.Address(u)
		if (got == "") != (p != nil) {
			t.Fatalf("Address(%q) = %q, %v: want either", email, got, p)
		}
		if p != nil {
			return
		}
		local, domain, _ := strings.Cut(got, "@")
		if domain != "corp.example" && domain != "two.example" || local == "" || len(local) > 64 || strings.Contains(domain, "@") {
			t.Errorf("Address(%q) = %q", email, got)
		}
		u.Email = got
		if again, p := m.Address(u); again != got || p != nil {
			t.Errorf("Address(%q) = %q, %v, want it to stay", got, again, p)
		}
		want, problems := m.Desired(u)
		if nick := want["mailNickname"].String(); nick == "" || len(nick) > 64 || strings.ContainsAny(nick, `@()\[]";:<>, `) || len(problems) > 0 {
			t.Errorf("mailNickname of %q = %q, %v", got, nick, problems)
		}
	})
}

// TestDefaultUsageLocation: a user without a country gets the settings', and it is
// managed although its export is off.
func TestDefaultUsageLocation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, own, fallback string
		export              bool
		want                string
		managed             bool
	}{
		{name: "neither", own: "DE"},
		{name: "exported", own: "DE", export: true, want: "DE", managed: true},
		{name: "the default", fallback: "CH", want: "CH", managed: true},
		{name: "the user's own", own: "DE", fallback: "CH", want: "DE", managed: true},
		{name: "exported and empty", fallback: "CH", export: true, want: "CH", managed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := directory.Settings{DefaultUsageLocation: tt.fallback}
			if tt.export {
				s.Attributes = map[string]directory.AttributeRule{directory.PropUsageLocation: {Export: true}}
			}
			m := mapping.New(s, []directory.Domain{{Name: "hq.example"}})
			u := directory.User{}
			u.Email, u.UsageLocation = "ann@hq.example", tt.own
			values, _ := m.Desired(&u)
			if got := values[directory.PropUsageLocation].String(); got != tt.want || slices.Contains(m.Managed(), directory.PropUsageLocation) != tt.managed {
				t.Errorf("%q of %v, want %q", got, m.Managed(), tt.want)
			}
		})
	}
}
