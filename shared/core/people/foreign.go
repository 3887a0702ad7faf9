package people

import (
	"bindery/shared/directory"
)

// foreignName is what a column of another system's export means here.
type foreignName struct {
	path    string
	also    string   // an attribute that it gives where no other column does
	rank    int      // among the names of one attribute; the lowest comes first
	status  statuses // of a column that says who is active
	ignored string   // why it is not loaded
	// read is what a cell says of the attribute; nil: what stands in it.
	read func(cell string) string
}

const (
	noPassword = "is a password, which is never read"
	noManager  = "names a manager by name or address; managerId is the ID of a user here"
	noPrivate  = "is private"
	noID       = "is another system's ID; name the column externalId to load it"
	noKind     = "is another system's kind of account"
)

// foreignNames are the folded names of columns (foldName) in the exports of
//
//   - the Entra admin centre: Users > Bulk create (template), Download users
//   - the Microsoft 365 admin centre: Active users > Export, Add multiple users
//   - Okta: the profile attributes of a CSV import and of its reports
//   - JumpCloud: the templates of its PowerShell module and console
//   - BambooHR: the fields of its employee reports
//   - Personio: the attributes of its employee list, in English and German
//
// A name that folds to one of our own is not listed.
var foreignNames = map[string]foreignName{
	// Addresses and names to sign in with. An export without a column for the
	// address has it as the sign-in name.
	"mail":                    {path: "email"},
	"emailaddress":            {path: "email"},
	"workemail":               {path: "email"},
	"primaryemail":            {path: "email"},
	"companyemail":            {path: "email"},
	"emailadresse":            {path: "email"},
	"proxyaddresses":          {path: "email", rank: 1, read: primaryAddress},
	"userprincipalname":       {path: "userName", also: "email"},
	"login":                   {path: "userName", also: "email", rank: 1},
	"secondemail":             {path: "alternateEmail"},
	"alternateemailaddress":   {path: "alternateEmail"},
	"alternateemailaddresses": {path: "alternateEmail", rank: 1},

	"firstname":   {path: "givenName"},
	"vorname":     {path: "givenName"},
	"lastname":    {path: "familyName"},
	"surname":     {path: "familyName"},
	"nachname":    {path: "familyName"},
	"fullname":    {path: "displayName"},
	"anzeigename": {path: "displayName", rank: 1},

	"telephonenumber":   {path: "phones.work"},
	"officephone":       {path: "phones.work"},
	"workphone":         {path: "phones.work"},
	"businessphone":     {path: "phones.work"},
	"businessphones":    {path: "phones.work"},
	"primaryphone":      {path: "phones.work", rank: 1},
	"phonenumber":       {path: "phones.work", rank: 1},
	"worknumber":        {path: "phones.work"},
	"mobile":            {path: "phones.mobile"},
	"mobilephone":       {path: "phones.mobile"},
	"mobilephonenumber": {path: "phones.mobile"},
	"workmobilenumber":  {path: "phones.mobile"},

	"streetaddress":     {path: "workAddress.streetAddress"},
	"address":           {path: "workAddress.streetAddress", rank: 1},
	"city":              {path: "workAddress.city"},
	"stateorprovince":   {path: "workAddress.state"},
	"postalcode":        {path: "workAddress.postalCode"},
	"ziporpostalcode":   {path: "workAddress.postalCode"},
	"zipcode":           {path: "workAddress.postalCode"},
	"country":           {path: "workAddress.country"},
	"countryorregion":   {path: "workAddress.country"},
	"countryregion":     {path: "workAddress.country"},
	"countrycode":       {path: "workAddress.country", rank: 1},
	"workstreetaddress": {path: "workAddress.streetAddress"},
	"worklocality":      {path: "workAddress.city"},
	"workcity":          {path: "workAddress.city"},
	"workregion":        {path: "workAddress.state"},
	"workstate":         {path: "workAddress.state"},
	"workpostalcode":    {path: "workAddress.postalCode"},
	"workcountry":       {path: "workAddress.country"},

	"title":                      {path: "jobTitle"},
	"position":                   {path: "jobTitle", rank: 1},
	"abteilung":                  {path: "department"},
	"companyname":                {path: "company"},
	"organization":               {path: "company", rank: 1},
	"legalentity":                {path: "company", rank: 1},
	"subcompany":                 {path: "company", rank: 1},
	"gesellschaft":               {path: "company", rank: 1},
	"office":                     {path: "location"},
	"officelocation":             {path: "location"},
	"officename":                 {path: "location"},
	"officenumber":               {path: "location", rank: 1},
	"physicaldeliveryofficename": {path: "location"},
	"standort":                   {path: "location"},
	"employeenumber":             {path: "employeeId"},
	"employeeidentifier":         {path: "employeeId"},
	"personalnummer":             {path: "employeeId"},
	"personnelnumber":            {path: "employeeId"},
	"employmenttype":             {path: "employeeType"},
	"employmentstatus":           {path: "employeeType", rank: 1},
	"beschäftigungsart":          {path: "employeeType"},
	"costcentre":                 {path: "costCenter"},
	"kostenstelle":               {path: "costCenter"},

	"accountenabled":   {status: saysActive},
	"enabled":          {status: saysActive},
	"blocksignin":      {status: saysBlocked},
	"blocksigninyesno": {status: saysBlocked},
	"blockcredential":  {status: saysBlocked},
	"signinblocked":    {status: saysBlocked},
	"accountlocked":    {ignored: "says who is locked out for a while"},
	"status":           {status: saysActive},
	"suspended":        {status: saysBlocked},
	"activated":        {status: saysActivated},

	"password":        {ignored: noPassword},
	"initialpassword": {ignored: noPassword},
	"passwordprofile": {ignored: noPassword},
	"manager":         {ignored: noManager},
	"managername":     {ignored: noManager},
	"reportingto":     {ignored: noManager},
	"reportsto":       {ignored: noManager},
	"supervisor":      {ignored: noManager},
	"vorgesetzter":    {ignored: noManager},
	"objectid":        {ignored: noID},
	"usertype":        {ignored: noKind},
	"licenses":        {ignored: "says licences of Microsoft, which are not loaded"},
	"homeemail":       {ignored: noPrivate},
	"homephone":       {ignored: noPrivate},
	"addressline1":    {ignored: noPrivate},
	"addressline2":    {ignored: noPrivate},
	"dateofbirth":     {ignored: noPrivate},
	"birthdate":       {ignored: noPrivate},
	"gender":          {ignored: noPrivate},
}

// proxyAddress begins an address among those of a mailbox, which the admin centre
// joins by plus signs, and others by semicolons, commas or blanks. An address may
// have a plus sign too.
var proxyAddress = directory.Pattern(`(^|[+;,\s])\s*([A-Za-z0-9]{2,8}):`)

// primaryAddress is the address of those of a mailbox that mail is sent from, which
// SMTP in capitals marks; "" when none is.
func primaryAddress(cell string) string {
	all := proxyAddress().FindAllStringSubmatchIndex(cell, -1)
	for i, at := range all {
		end := len(cell)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		if cell[at[4]:at[5]] == "SMTP" {
			return cell[at[1]:end]
		}
	}
	return ""
}

// addressNames are the names of an address without a word on whose it is.
var addressNames = []string{"streetaddress", "address", "city", "state", "stateorprovince", "postalcode", "ziporpostalcode", "zipcode", "country", "countryorregion", "countryregion", "countrycode"}

// privateNames are columns that only HR systems have, whose addresses are those
// of people's homes.
var privateNames = []string{"homeemail", "homephone", "addressline1", "addressline2", "dateofbirth", "birthdate", "gender", "hiredate", "maritalstatus", "geburtsdatum", "einstellungsdatum"}

// anySystem is an export of which nobody can tell whose it is.
const anySystem = "another system"

// exportOf names the system whose export has such names; "" when it may be any.
func exportOf(folded map[string]bool) string {
	has := func(names ...string) bool {
		for _, name := range names {
			if folded[name] {
				return true
			}
		}
		return false
	}
	switch {
	case has("blockcredential", "signinblocked") || folded["licenses"] && folded["userprincipalname"] || folded["username"] && folded["officenumber"]:
		return "Microsoft 365 admin centre"
	case folded["userprincipalname"]:
		return "Microsoft Entra admin centre"
	case folded["login"] && folded["firstname"]:
		return "Okta"
	case has("employeeidentifier", "workmobilenumber", "worklocality") || folded["username"] && folded["firstname"]:
		return "JumpCloud"
	case folded["workemail"] && has("employeenumber", "reportingto", "reportsto", "jobtitle"):
		return "BambooHR"
	case has("position", "supervisor", "vorgesetzter", "kostenstelle", "subcompany", "legalentity") && has("firstname", "vorname"):
		return "Personio"
	}
	return anySystem
}

// statuses say what the words of another system's status mean here.
type statuses map[string]directory.UserState

// Who is on leave or has yet to set a password is one of the people; who has not
// begun is staged. A word that is not here refuses its line: taken for active, it
// would give an account to somebody who has left.
var (
	saysActive = statuses{
		"active": directory.StateActive, "aktiv": directory.StateActive, "enabled": directory.StateActive, "activated": directory.StateActive,
		"true": directory.StateActive, "yes": directory.StateActive, "ja": directory.StateActive, "1": directory.StateActive,
		"onleave": directory.StateActive, "leave": directory.StateActive, "provisioned": directory.StateActive,
		"lockedout": directory.StateActive, "passwordexpired": directory.StateActive, "passwordreset": directory.StateActive, "recovery": directory.StateActive,
		"staged": directory.StateStaged, "onboarding": directory.StateStaged,
		"inactive": directory.StateSuspended, "inaktiv": directory.StateSuspended, "suspended": directory.StateSuspended, "deprovisioned": directory.StateSuspended,
		"deactivated": directory.StateSuspended, "disabled": directory.StateSuspended, "terminated": directory.StateSuspended,
		"false": directory.StateSuspended, "no": directory.StateSuspended, "nein": directory.StateSuspended, "0": directory.StateSuspended,
	}
	saysBlocked = statuses{
		"true": directory.StateSuspended, "yes": directory.StateSuspended, "ja": directory.StateSuspended, "1": directory.StateSuspended, "blocked": directory.StateSuspended,
		"false": directory.StateActive, "no": directory.StateActive, "nein": directory.StateActive, "0": directory.StateActive, "allowed": directory.StateActive,
	}
	saysActivated = statuses{
		"true": directory.StateActive, "yes": directory.StateActive, "1": directory.StateActive,
		"false": directory.StateStaged, "no": directory.StateStaged, "0": directory.StateStaged,
	}
)

// worse is the state of somebody of whom two columns say something.
func worse(a, b directory.UserState) directory.UserState {
	for _, s := range []directory.UserState{directory.StateSuspended, directory.StateStaged} {
		if a == s || b == s {
			return s
		}
	}
	if a == "" {
		return b
	}
	return a
}
