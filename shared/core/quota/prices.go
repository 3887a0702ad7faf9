package quota

import "bindery/shared/directory"

// What requests about groups, managers and licences take of a tenant's quota for
// reading, in resource units (G 5, GG 1), as package entra asks: always with a
// selection of properties, which makes one unit less, and never below one.
const (
	UnitsOfGroup       = 1 // one group, by its ID or uniqueName, deleted or not
	UnitsOfGroupPage   = 1 // a page of a listing of groups
	UnitsOfMembers     = 2 // a page of a group's members
	UnitsOfMemberOf    = 1 // a page of the groups that an account is in
	UnitsOfGroupDelta  = 1 // a page of a round of group changes
	UnitsOfManager     = 1 // an account with its manager
	UnitsOfManagerPage = 2 // a page of accounts with their managers
	UnitsOfLicences    = 1 // an account with its licences
	UnitsOfLicencePage = 1 // a page of accounts with their licences
	UnitsOfSKUs        = 3 // the tenant's products, which are never selected from
)

// Writes is how many writes Microsoft counts for what is sent together.
func Writes(list []directory.Write) int {
	all := 0
	for _, r := range directory.WriteRequests(list) {
		all += directory.MemberWrites(len(r.Places)) // of one place, one write
	}
	return all
}
