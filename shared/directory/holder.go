package directory

import (
	"fmt"
	"strings"
)

// HolderKind says what kind of object has an address.
type HolderKind string

// The kinds of holders. Only users, groups and deleted users can be searched;
// a contact is known when Microsoft names it.
const (
	HolderUser        HolderKind = "user"
	HolderGroup       HolderKind = "group"
	HolderDeletedUser HolderKind = "deleted-user"
	HolderContact     HolderKind = "contact"
)

// Holder is an object of a tenant that has an address.
type Holder struct {
	Kind HolderKind `json:"kind"`
	ID   string     `json:"id"`
	Name string     `json:"name,omitempty"` // for people
	// UserPrincipalName is empty for a group; a deleted user's is the one that
	// restoring gives back.
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
	Address           string `json:"address"`  // the one that was asked for, as it was asked for
	Property          string `json:"property"` // where it stands: userPrincipalName, mail or proxyAddresses
}

// Holders is the answer to a search for the holders of addresses. LeftOut names
// the kinds that could not be searched, or not to the end: who is not found among
// them may be there all the same.
type Holders struct {
	Found   []Holder     `json:"found"`
	LeftOut []HolderKind `json:"leftOut,omitempty"`
}

// AddHolders adds to a conflict who has the address, as far as a search found out.
// except is the account that the problem is about, which may have the address
// itself. It reports whether somebody was found.
func (p *Problem) AddHolders(h Holders, except AccountID) bool {
	for _, one := range h.Found {
		if strings.EqualFold(one.ID, string(except)) || p.Holder != "" && !strings.EqualFold(p.HolderID(), one.ID) {
			continue
		}
		p.Holder, p.HolderKind = one.ID, one.Kind
		p.Message += fmt.Sprintf(" %s has %s as its %s.", one.describe(), one.Address, one.Property)
		p.Next = one.next()
		return true
	}
	if len(h.LeftOut) > 0 && p.Holder == "" {
		kinds := make([]string, len(h.LeftOut))
		for i, k := range h.LeftOut {
			kinds[i] = string(k) + "s"
		}
		p.Message += " Who has it was not found; " + strings.ReplaceAll(strings.Join(kinds, " and "), "-", " ") + " could not be searched."
	}
	return false
}

// HolderID returns the ID within Holder, which may be led by the object's kind.
func (p *Problem) HolderID() string { return p.Holder[strings.LastIndexByte(p.Holder, ' ')+1:] }

func (h *Holder) describe() string {
	name := h.Name
	if name == "" {
		name = h.ID
	}
	switch h.Kind {
	case HolderGroup:
		return "The group " + name
	case HolderDeletedUser:
		return "The deleted user " + name
	case HolderContact:
		return "The contact " + name
	}
	if h.UserPrincipalName != "" && h.UserPrincipalName != name {
		name += " (" + h.UserPrincipalName + ")"
	}
	return "The account " + name
}

func (h *Holder) next() string {
	switch h.Kind {
	case HolderGroup:
		return "Take the address from the group in Microsoft 365, or change the user's address."
	case HolderDeletedUser:
		return "Restore that user or delete it for good, in Entra under deleted users, or change the user's address."
	case HolderContact:
		return "Take the address from the contact in the Exchange admin center, or change the user's address."
	}
	return "If that account is this person's, bind the user to it; else change the address of one of the two."
}
