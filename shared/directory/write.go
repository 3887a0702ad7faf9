package directory

import "time"

// Write is one write to a tenant, made from a change.
type Write struct {
	// Object is what of ours it is about when that is no user's account.
	Object Ref
	Effect Effect
	// AccountID is the account that is written to; of a membership the member, were it
	// a group. Of kinds that package entra does not know it is the object in the tenant.
	AccountID AccountID
	// GroupID is the tenant group that is written to, whose member AccountID is, or
	// whose licences are meant; "" of a group's creation and wherever no group is.
	GroupID               TenantGroupID
	Properties            Properties // flat names
	Password              Secret     // of a create
	ForceChangePassword   bool
	OnPremisesImmutableID string // of a create in a federated domain
	// NewGroup is what a group is made as, besides its properties.
	NewGroup NewTenantGroup
	// ManagerID is the account's manager, of manager-set.
	ManagerID AccountID
	// Licences is what changes, of the effects on licences.
	Licences LicenceChange
	// Young says that what is to be removed was given so lately that Microsoft may not
	// know it everywhere: that it is not there is no proof, and told as NotVisible.
	Young bool
	// Alone keeps the addition of a member out of a request with others.
	Alone bool
}

// NewTenantGroup is what only the creation of a group says.
type NewTenantGroup struct {
	// UniqueName makes the creation idempotent: where a group has it, that one is
	// updated and no other made (GG 2.2).
	UniqueName string
	// Microsoft365 makes a Microsoft 365 group, a security group otherwise; Quiet
	// keeps Microsoft from writing to those who become members of it.
	Microsoft365 bool
	Quiet        bool
	// SecurityEnabled lets a Microsoft 365 group give access and license its members.
	SecurityEnabled bool
}

// LicenceChange is one call about licences: products that are given, each with all of
// its services that are to be off, and products that are taken. What is held
// already and is given has other services off afterwards. No product is in both.
type LicenceChange struct {
	Add    []AssignedLicence
	Remove []SKUID
}

// Outcome is the answer to one Write.
type Outcome struct {
	Status            int
	AccountID         AccountID // of a create or restore
	UserPrincipalName string
	Properties        Properties    // of a create's answer
	GroupID           TenantGroupID // of a group's creation or restoring
	// Already: the tenant was so before, and nothing was written; the group with
	// that uniqueName was there. What was not given by this write is not ours to
	// take back. There is no Problem then.
	Already bool
	// Problem is nil when the write was applied, or Already so.
	Problem *Problem
	// Retry: certainly not applied, and worth another try after RetryAfter.
	Retry      bool
	RetryAfter time.Duration
	// NotVisible: certainly not applied, since an object of it is not there, or was
	// made lately and is not yet known in all parts of Microsoft's directory (GG 8).
	// Which of the two, only whoever knows when they were made can tell.
	NotVisible bool
	// Scope says whose quota a 429 speaks of.
	Scope ThrottleScope
	// Unknown: the write may or may not have taken effect.
	Unknown bool
	// Shared: the Problem is that of a request which several writes went out in, and
	// may be another one's. None of them was applied; sent Alone each has its own.
	Shared bool
	// Behind: not looked at, since the write ahead of it, of several that follow each
	// other in a request, was not applied. It is sent again; there is nothing wrong with it.
	Behind    bool
	RequestID string
}

// MostMembersAtOnce is how many members Microsoft adds to a group by one request.
const MostMembersAtOnce = 20

// membersAWrite is how many members of a request that adds several count as one write
// (GG 3.2: what Microsoft told the makers of another product).
const membersAWrite = 3

// MemberWrites is how many writes Microsoft counts for one request that adds so many members
// to a group.
func MemberWrites(members int) int { return (members + membersAWrite - 1) / membersAWrite }

// MostRemovedInTurn is how many members are taken out of a group by one request, one after
// the other: Microsoft does them one by one, and a leaver waits for as long.
const MostRemovedInTurn = 10

// WriteRequest is one request that some writes of a batch go out in: their places.
type WriteRequest struct{ Places []int }

// WriteRequests packs writes into requests: additions of members to one group go
// together unless they are to go alone, as all others do.
func WriteRequests(writes []Write) []WriteRequest {
	var list []WriteRequest
	open := map[TenantGroupID]int{} // the request that has room for members of a group
	for i := range writes {
		w := &writes[i]
		if w.Effect != EffectMemberAdd || w.Alone {
			list = append(list, WriteRequest{[]int{i}})
			continue
		}
		n, begun := open[w.GroupID]
		if !begun || len(list[n].Places) == MostMembersAtOnce {
			n = len(list)
			open[w.GroupID] = n
			list = append(list, WriteRequest{})
		}
		list[n].Places = append(list[n].Places, i)
	}
	return list
}
