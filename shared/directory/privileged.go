package directory

// Privileged is who can do more in a tenant than others, as far as it can be
// read.
type Privileged struct {
	// Holders have a directory role, by themselves or through a group, or are
	// members or owners of a group that can be given roles. Sorted, once each.
	Holders []AccountID
	// GlobalAdministrators are those of them that hold that role, by
	// themselves or as members of a group.
	GlobalAdministrators []AccountID
	// Unread says why some holders may be missing; empty when none are.
	Unread string
}
