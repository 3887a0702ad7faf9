package people

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
)

// The exports of other systems are read by the names of their columns.
func TestExports(t *testing.T) {
	for _, test := range []struct {
		export, header, row string
		want                map[string]string // by path
		ignored             string
	}{
		{"Microsoft Entra admin centre", // the template of Bulk create
			"version:v1.0\nName [displayName] Required,User name [userPrincipalName] Required,Initial password [passwordProfile] Required,Block sign in (Yes/No) [accountEnabled] Required,First name [givenName],Last name [surname],Job title [jobTitle],Department [department],Usage location [usageLocation],Street address [streetAddress],State or province [state],Country or region [country],Office [physicalDeliveryOfficeName],City [city],ZIP or postal code [postalCode],Office phone [telephoneNumber],Mobile phone [mobile]",
			"Ann Lee,ann@x.example,secret,Yes,Ann,Lee,Engineer,R&D,DE,Main St 1,Bavaria,Germany,HQ,Munich,80331,+49 89 1,+49 170 1",
			map[string]string{"displayName": "Ann Lee", "email": "ann@x.example", "userName": "ann@x.example", "state": "suspended", "givenName": "Ann", "familyName": "Lee", "jobTitle": "Engineer", "department": "R&D", "usageLocation": "DE",
				"workAddress.streetAddress": "Main St 1", "workAddress.state": "Bavaria", "workAddress.country": "Germany", "location": "HQ", "workAddress.city": "Munich", "workAddress.postalCode": "80331", "phones.work": "+49 89 1", "phones.mobile": "+49 170 1"},
			"Initial password [passwordProfile] Required"},
		{"Microsoft Entra admin centre", // Download users
			"userPrincipalName,displayName,surname,mail,givenName,id,userType,jobTitle,department,accountEnabled,usageLocation,streetAddress,state,country,officeLocation,city,postalCode,telephoneNumber,mobilePhone,alternateEmailAddress,ageGroup,companyName,creationType,createdDateTime",
			"5551@x.example,Ann Lee,Lee,ann@x.example,Ann,8c1,Member,,,True,DE,,WA,,,,,,,ann@home.example,,Corp,,1/2/2026",
			map[string]string{"displayName": "Ann Lee", "email": "ann@x.example", "userName": "5551@x.example", "state": "active", "givenName": "Ann", "familyName": "Lee", "usageLocation": "DE", "workAddress.state": "WA", "alternateEmail": "ann@home.example", "company": "Corp"},
			"id userType ageGroup creationType createdDateTime"},
		{"Microsoft 365 admin centre",
			"Block credential,City,Country/Region,Department,DirSyncEnabled,Display name,Fax,First name,Last name,Licenses,Mobile Phone,Object Id,Office,Phone number,Postal code,Proxy addresses,State,Street address,Title,Usage location,User principal name,When created",
			"False,Perth,Australia,Ops,,Ann Lee,,Ann,Lee,E3,041,8c1,HQ,089,6000,smtp:a@x.example+SMTP:ann+lee@x.example+SIP:ann@x.example,WA,,Chief,AU,ann@x.example,2026",
			map[string]string{"displayName": "Ann Lee", "email": "ann+lee@x.example", "userName": "ann@x.example", "state": "active", "givenName": "Ann", "familyName": "Lee", "workAddress.city": "Perth", "workAddress.country": "Australia", "department": "Ops",
				"phones.mobile": "041", "location": "HQ", "phones.work": "089", "workAddress.postalCode": "6000", "workAddress.state": "WA", "jobTitle": "Chief", "usageLocation": "AU"},
			"DirSyncEnabled Fax Licenses Object Id When created"},
		{"Microsoft 365 admin centre", // Add multiple users
			"User Name,First Name,Last Name,Display Name,Job Title,Department,Office Number,Office Phone,Mobile Phone,Fax,Address,City,State or Province,ZIP or Postal Code,Country or Region",
			"ann@x.example,Ann,Lee,Ann Lee,Chief,Ops,12,089,041,,1 Elm,Redmond,Wa,98052,United States",
			map[string]string{"displayName": "Ann Lee", "email": "ann@x.example", "userName": "ann@x.example", "state": "active", "givenName": "Ann", "familyName": "Lee", "jobTitle": "Chief", "department": "Ops", "location": "12", "phones.work": "089", "phones.mobile": "041",
				"workAddress.streetAddress": "1 Elm", "workAddress.city": "Redmond", "workAddress.state": "Wa", "workAddress.postalCode": "98052", "workAddress.country": "United States"},
			"Fax"},
		{"Okta",
			"login,firstName,lastName,middleName,email,title,displayName,primaryPhone,mobilePhone,secondEmail,streetAddress,city,state,zipCode,countryCode,employeeNumber,costCenter,organization,department,managerId,manager,status",
			"ann@x.example,Ann,Lee,M,ann.lee@x.example,Chief,Ann Lee,1,2,ann@home.example,Main,Reno,NV,89501,US,007,C1,Corp,Ops,00u1,Bob,DEPROVISIONED",
			map[string]string{"displayName": "Ann Lee", "email": "ann.lee@x.example", "userName": "ann@x.example", "state": "suspended", "givenName": "Ann", "familyName": "Lee", "jobTitle": "Chief", "phones.work": "1", "phones.mobile": "2", "alternateEmail": "ann@home.example",
				"workAddress.streetAddress": "Main", "workAddress.city": "Reno", "workAddress.state": "NV", "workAddress.postalCode": "89501", "workAddress.country": "US", "employeeId": "007", "costCenter": "C1", "company": "Corp", "department": "Ops"},
			"middleName managerId manager"},
		{"JumpCloud",
			"FirstName,LastName,Username,Email,Password,jobTitle,employeeIdentifier,department,costCenter,company,employeeType,location,work_streetAddress,work_city,work_state,work_postalCode,work_country,mobile_number,work_number,work_mobile_number,activated,suspended",
			"Ann,Lee,ann,ann@x.example,secret,Chief,007,Ops,C1,Corp,Staff,HQ,Main,Reno,NV,89501,US,9,1,2,TRUE,FALSE",
			map[string]string{"email": "ann@x.example", "userName": "ann", "state": "active", "givenName": "Ann", "familyName": "Lee", "jobTitle": "Chief", "phones.work": "1", "phones.mobile": "2",
				"workAddress.streetAddress": "Main", "workAddress.city": "Reno", "workAddress.state": "NV", "workAddress.postalCode": "89501", "workAddress.country": "US", "employeeId": "007", "costCenter": "C1", "company": "Corp", "department": "Ops", "employeeType": "Staff", "location": "HQ"},
			"Password mobile_number"},
		{"BambooHR",
			"Employee #,First Name,Last Name,Work Email,Home Email,Job Title,Department,Division,Location,Work Phone,Mobile Phone,Employment Status,Reporting to,Status,Hire Date,Address Line 1,City,State,Zip Code,Country",
			"007,Ann,Lee,ann@x.example,ann@home.example,Chief,Ops,West,HQ,1,2,Full-Time,Bob,Active,2026-01-01,Elm 1,Reno,NV,89501,US",
			map[string]string{"email": "ann@x.example", "userName": "ann@x.example", "state": "active", "givenName": "Ann", "familyName": "Lee", "jobTitle": "Chief", "department": "Ops", "location": "HQ", "phones.work": "1", "phones.mobile": "2", "employeeType": "Full-Time", "employeeId": "007"},
			"Home Email Division Reporting to Hire Date Address Line 1 City State Zip Code Country"},
		{"Personio",
			"Vorname;Nachname;E-Mail;Status;Position;Abteilung;Standort;Kostenstelle;Vorgesetzter;Beschäftigungsart;Personalnummer;Gesellschaft;Einstellungsdatum",
			"Ann;Lee;ann@x.example;Inaktiv;Chief;Ops;HQ;C1;Bob;intern;007;Corp;01.01.2026",
			map[string]string{"email": "ann@x.example", "userName": "ann@x.example", "state": "suspended", "givenName": "Ann", "familyName": "Lee", "jobTitle": "Chief", "department": "Ops", "location": "HQ", "costCenter": "C1", "employeeType": "intern", "employeeId": "007", "company": "Corp"},
			"Vorgesetzter Einstellungsdatum"},
	} {
		w := newWorld(t)
		j, err := w.StartLoad(t.Context(), admin, []byte(test.header+"\n"+test.row+"\n"), LoadOptions{})
		if err != nil {
			t.Errorf("%s: %v %s", test.export, err, fieldsOf(err))
			continue
		}
		done := w.run(j.ID)
		if done.Counts["created"] != 1 {
			t.Errorf("%s: %+v %+v", test.export, done.Job, w.refusals(j.ID))
			continue
		}
		u := w.all()[0]
		got := map[string]string{}
		for _, path := range paths(&u.Profile) {
			got[path] = value(&u.Profile, path)
		}
		var ignored []string
		for _, c := range done.File.Columns {
			if c.Ignored != "" {
				ignored = append(ignored, c.Name)
			}
			if c.Attribute == "" && c.Ignored == "" && c.Note == "" {
				t.Errorf("%s: nothing is told of the column %s", test.export, c.Name)
			}
		}
		if !maps.Equal(got, test.want) || strings.Join(ignored, " ") != test.ignored || done.File.Export != test.export {
			t.Errorf("%s (told %s):\n got %v\nwant %v\nignored %s\n   want %s", test.export, done.File.Export, got, test.want, strings.Join(ignored, " "), test.ignored)
		}
	}
}

func TestPrimaryAddress(t *testing.T) {
	for cell, want := range map[string]string{
		"": "", "SMTP:a@x.example": "a@x.example", "smtp:a@x.example": "", "smtp:b@x.example+SMTP:a@x.example": "a@x.example",
		"SMTP:a+b@x.example+smtp:c@x.example": "a+b@x.example", "SIP:a@x.example;SMTP:b@x.example; x500:/o=Corp/cn=b": "b@x.example",
		"smtp:a@x.example, SMTP:b@x.example": "b@x.example", "a@x.example": "", "SMTP:a@x.example SPO:SPO_1@SPO_2": "a@x.example",
	} {
		if got := primaryAddress(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
}

// What programs write in place of a value is no value.
func TestNoValues(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"Export-Csv of Windows PowerShell", "#TYPE Selected.User\n\"UserPrincipalName\",\"BusinessPhones\",\"Enabled\"\n\"a@x.example\",\"System.String[]\",\"False\"\n", "3: a@x.example suspended phones.work value-left-out"},
		{"a spreadsheet's error", "email,department\na@x.example,#N/A\nb@x.example,#REF!\n", "2: invalid-user 3: invalid-user"},
		{"an error in a column that is not loaded", "email,First name,Manager\na@x.example,A,#N/A\n", "2: a@x.example"},
		{"an error in what a line does without", "email,usageLocation\na@x.example,#N/A\n", "2: a@x.example usageLocation value-left-out"},
		{"half of a surrogate pair", `{"email":"a@x.example","displayName":"a\ud800b"}`, "1: invalid-user"},
		{"the same in a name", `{"email":"a@x.example","customAttributes":{"\ud800":"b"}}`, "1: invalid-user"},
		{"lost characters", `{"email":"a@x.example","displayName":"M` + "\ufffd" + `ller"}`, "1: invalid-user"},
	} {
		lines, err := readFile(t, test.file, LoadOptions{}, 1000)
		if err != nil {
			t.Errorf("%s: %v %s", test.name, err, fieldsOf(err))
			continue
		}
		var got []string
		for _, l := range lines {
			told := fmt.Sprintf("%d: %s%s", l.Line, l.Edit["email"], l.Code)
			if l.Status != "" {
				told += " " + string(l.Status)
			}
			for _, w := range l.Warnings {
				told += " " + w.Field + " " + w.Code
			}
			got = append(got, told)
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s: %s, want %s", test.name, s, test.want)
		}
	}
}

// No column is dropped in silence, and a misspelling is refused where it can be
// told from a column of another system.
func TestUnknownColumns(t *testing.T) {
	for _, test := range []struct {
		name, header string
		unknown      UnknownColumns
		refused      string // name: detail
		ignored      string
	}{
		{"folded", "email,givenname,Family Name,phones_work,customAttributes.x", "", "", ""},
		{"misspelt", "email,famlyName", "", "famlyName is not an attribute of a user; did you mean familyName?", ""},
		{"misspelt, of a group", "email,workAdress.city", "", "workAdress.city is not an attribute of a user; did you mean workAddress.city?", ""},
		{"misspelt, ignored", "email,famlyName", UnknownIgnore, "", "famlyName"},
		{"misspelt beside another system's names", "email,First name,famlyName", "", "famlyName is not an attribute of a user; did you mean familyName?", ""},
		{"nobody's beside another system's names", "email,First name,Shoe size", "", "", "Shoe size"},
		{"nobody's, refused", "email,First name,Shoe size", UnknownRefuse, "Shoe size is not an attribute of a user", ""},
		{"ignored for a reason, refused", "email,First name,Password", UnknownRefuse, "Password is a password, which is never read", ""},
		{"nobody's in a file of ours", "email,shoeSize", "", "shoeSize is not an attribute of a user", ""},
		{"twice in other letters", "email,E-Mail", "", "E-Mail is there twice", ""},
		{"twice, another system's", "email,First name,first_name", "", "first_name is there twice", ""},
		{"our own state", "email,state,familyName", "", "", ""},
	} {
		c, err := readColumns(userShape, strings.Split(test.header, ","), test.unknown)
		var ignored []string
		for _, col := range c.list {
			if col.ignored != "" {
				ignored = append(ignored, col.name)
			}
		}
		refused := ""
		if r, ok := errors.AsType[*directory.Refusal](err); ok {
			refused = fmt.Sprint(r.Fields[0].Field, " ", r.Fields[0].Detail)
		}
		if refused != test.refused || err == nil && strings.Join(ignored, " ") != test.ignored {
			t.Errorf("%s: refused %q, ignored %q; want %q, %q", test.name, refused, ignored, test.refused, test.ignored)
		}
	}
}

// Of several columns for one attribute, the first that is not empty counts, and
// the job says which comes first.
func TestColumnsOfOneAttribute(t *testing.T) {
	c, err := readColumns(userShape, []string{"userPrincipalName", "Business phone", "mail", "phones.work"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ row, email, phone string }{
		{"u@x.example,1,m@x.example,2", "m@x.example", "2"},
		{"u@x.example,1,,", "u@x.example", "1"},
		{"u@x.example", "u@x.example", ""},
	} {
		l := c.parse(2, strings.Split(test.row, ","))
		if l.Code != "" || l.Edit["email"] != test.email || l.Edit["phones.work"] != test.phone || l.Edit["userName"] != "u@x.example" {
			t.Errorf("%s: %+v", test.row, l)
		}
	}
	if a, b := c.list[0].note, c.list[1].note; !strings.Contains(a, `email as well, in rows in which "mail" is empty`) || !strings.Contains(b, `"phones.work" is empty`) {
		t.Errorf("told: %q, %q", a, b)
	}
	if l := c.parse(2, []string{"ann_else.example#EXT#@x.example"}); l.Code != "invalid-user" || !strings.Contains(l.Detail, "guest") {
		t.Errorf("a guest: %+v", l)
	}
}

// Whatever lines have in common, however far apart, a check says what the load does:
// one user in several lines, a user name that two want, one that a line frees. It
// does so too when it takes many slices.
func TestCheckSaysWhatTheLoadDoes(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var file strings.Builder
		file.WriteString("email,familyName,userName\n")
		for range 400 {
			name := ""
			if rng.IntN(4) == 0 {
				name = fmt.Sprintf("n%d@x.example", rng.IntN(120))
			}
			fmt.Fprintf(&file, "%c%d@x.example,%c,%s\n", "pnv"[rng.IntN(3)], rng.IntN(120), 'A'+rune(rng.IntN(3)), name)
		}
		said := map[string]string{}
		for _, way := range []string{"load", "check", "check in slices"} {
			w := newWorld(t)
			for i := range 40 {
				w.user(fmt.Sprintf(`{"email":"v%d@x.example","userName":"n%d@x.example"}`, i, 2*i), admin)
			}
			if way == "check in slices" {
				w.step = 2 * time.Second
			}
			j, err := w.StartLoad(t.Context(), admin, []byte(file.String()), LoadOptions{CheckOnly: way != "load"})
			w.must(err)
			done := w.run(j.ID)
			said[way] = fmt.Sprint(done.State, done.Counts)
			for _, r := range w.refusals(j.ID) {
				said[way] += fmt.Sprintf(" %d:%s", r.Line, r.Code)
			}
		}
		if said["check"] != said["load"] || said["check in slices"] != said["load"] {
			t.Errorf("seed %d:\nthe load %s\nthe check %s\nin slices %s", seed, said["load"], said["check"], said["check in slices"])
		}
	}
}

// Another system's status never changes the state of a user who is here, unless
// that is asked for; who may not sign in there begins here as suspended; and a
// word that nobody knows makes nobody active.
func TestForeignStatus(t *testing.T) {
	file := "Work Email,First name,Status\nhere@x.example,H,Inactive\nback@x.example,B,Active\nsame@x.example,S,Active\nnew@x.example,N,ACTIVE\nleft@x.example,L,Inactive\nsoon@x.example,O,Onboarding\nodd@x.example,O,Ausgetreten\nnone@x.example,N,\n"
	for _, apply := range []bool{false, true} {
		w := newWorld(t)
		for _, body := range []string{`{"email":"here@x.example"}`, `{"email":"back@x.example","state":"suspended"}`, `{"email":"same@x.example"}`} {
			w.user(body, admin)
		}
		for round := range 2 {
			j, err := w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{ApplyStatus: apply})
			w.must(err)
			done := w.run(j.ID)
			got := map[string]string{}
			for _, u := range w.all() {
				name, _, _ := strings.Cut(u.Email, "@")
				got[name] = string(u.State)
			}
			want := map[string]string{"here": "active", "back": "suspended", "same": "active", "new": "active", "left": "suspended", "soon": "staged", "none": "active"}
			differs := 2
			if apply {
				want["here"], want["back"], differs = "suspended", "active", 0
			}
			if !maps.Equal(got, want) || done.Counts["statusDiffers"] != differs || done.RefusedCount != 1 || w.refusals(j.ID)[0].Line != 8 {
				t.Errorf("applied %v, round %d: %v, want %v; %+v", apply, round, got, want, done.Job)
			}
		}
	}
}

// A check reads, matches and counts like a load, and leaves every user as it is;
// the upload it looks at can be loaded behind it.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	old := w.user(`{"email":"old@x.example","familyName":"Old"}`, admin)
	w.user(`{"email":"same@x.example","familyName":"Same"}`, admin)
	w.user(`{"email":"owned@x.example","familyName":"O"}`, ad)
	w.user(`{"email":"holder@x.example","userName":"taken"}`, admin)
	file := "email,familyName,userName\nnew@x.example,New,\nold@x.example,Changed,\nsame@x.example,Same,\nowned@x.example,Other,\nbad,x,\nname@x.example,N,taken\nNEW@x.example,Again,\ntwin@x.example,T,new@x.example\n"
	want := map[string]int{"created": 1, "updated": 2, "unchanged": 1}
	lines := "5:owned-elsewhere 6:invalid-user 7:user-name-taken 9:user-name-taken"
	id := w.upload(file, admin)
	for _, way := range []string{"body", "upload", "load"} {
		var j directory.Job
		var err error
		switch way {
		case "body":
			j, err = w.StartLoad(t.Context(), admin, []byte(file), LoadOptions{CheckOnly: true})
		default:
			j, err = w.LoadUpload(t.Context(), admin, id, LoadOptions{CheckOnly: way == "upload"})
		}
		w.must(err)
		users := len(w.all())
		done := w.run(j.ID)
		var refused []string
		for _, r := range w.refusals(j.ID) {
			refused = append(refused, fmt.Sprintf("%d:%s", r.Line, r.Code))
		}
		if done.State != directory.JobDone || !maps.Equal(done.Counts, want) || strings.Join(refused, " ") != lines || done.File == nil {
			t.Errorf("%s: %+v, refused %v", way, done.Job, refused)
		}
		if way == "load" {
			if done.Kind != directory.JobLoad || len(w.all()) != users+1 {
				t.Errorf("the load behind the check: %+v", done.Job)
			}
			continue
		}
		u, err := w.Get(t.Context(), old.ID)
		if err != nil || u.FamilyName != "Old" || u.Version != old.Version || len(w.all()) != users || done.Kind != directory.JobCheck || len(w.woken) != 0 {
			t.Errorf("the check of the %s wrote: %+v, %v; %d users; %+v", way, u, err, len(w.all()), done.Job)
		}
	}
}
