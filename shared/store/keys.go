package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// The partitions that hold all records of their sort.
const (
	connectionsAt     = "connections" // of index 1
	openJobsAt        = "jobs"
	jobsAt            = "JOBS"     // of index 2
	activityPartition = "ACTIVITY" // of index 2
	headsAt           = "CHAINS"
	pendingLinksAt    = "UNLINKED"
	changedAt         = "GROUPS#changed"
	purgesAt          = "PURGES"
)

const (
	shards = 16
	// markLanes spreads the marks of ordinary edits; few, since an idle run
	// asks each of them.
	markLanes = 4
)

func hashOf(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

func shardOf(id string) int { return int(hashOf(id) % shards) }

func shardName(shard int) string { return strconv.FormatInt(int64(shard), 16) }

func connectionKey(id directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(id), Sort: "connection"}
}

// leaseKey begins as connectionKey does, so that one query reads both.
func leaseKey(id directory.ConnectionID) table.Key {
	return table.Key{Partition: connectionKey(id).Partition, Sort: connectionKey(id).Sort + "#lease"}
}

// readLinkKey is where it stands how far a tenant has been read, beside its lease.
func readLinkKey(id directory.ConnectionID) table.Key {
	return table.Key{Partition: connectionKey(id).Partition, Sort: connectionKey(id).Sort + "#link"}
}

func openRunKey(c directory.ConnectionID, r directory.RunID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "open#" + string(r)}
}

// boundKey is where the bindings of a kind are counted.
func boundKey(c directory.ConnectionID, epoch int64, kind directory.Kind) table.Key {
	k := table.Key{Partition: "C#" + string(c), Sort: "bound#" + itoa(epoch)}
	if kind != directory.KindAccount {
		k.Sort += "#" + string(kind)
	}
	return k
}

// licenceCountKey is where the last count of a tenant's licences stands.
func licenceCountKey(c directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "licences"}
}

func profileKey(u directory.UserID) table.Key {
	return table.Key{Partition: "U#" + string(u), Sort: "profile"}
}

// bindingKey is where a binding lies. The key of a user's account is the user's,
// which makes a second binding impossible; what is of another kind may be bound
// through several connections.
func bindingKey(r directory.Ref, c directory.ConnectionID) table.Key {
	if u := r.User(); u != "" {
		return userBindingKey(u)
	}
	return table.Key{Partition: "O#" + string(r.Kind) + "#" + r.ID, Sort: "C#" + string(c)}
}

func userBindingKey(u directory.UserID) table.Key {
	return table.Key{Partition: "U#" + string(u), Sort: "binding"}
}

// refOf says what the binding at a key is of.
func refOf(k table.Key) directory.Ref {
	if u, isUser := strings.CutPrefix(k.Partition, "U#"); isUser {
		return directory.AccountOf(directory.UserID(u))
	}
	return refNamed(strings.TrimPrefix(k.Partition, "O#"))
}

// refName is how a sort key names what is bound: a user by its ID alone.
func refName(r directory.Ref) string {
	if u := r.User(); u != "" {
		return string(u)
	}
	return string(r.Kind) + "#" + r.ID
}

// refNamed is the other side of refName.
func refNamed(name string) directory.Ref {
	kind, id, isObject := strings.Cut(name, "#")
	if !isObject {
		return directory.AccountOf(directory.UserID(name))
	}
	return directory.Ref{Kind: directory.Kind(kind), ID: id}
}

// claimKey is where it stands whose an object of a tenant is.
func claimKey(t directory.TenantID, kind directory.Kind, a directory.AccountID) table.Key {
	k := table.Key{Partition: "A#" + string(t) + "#" + strings.ToLower(string(a)), Sort: "claim"}
	if kind != directory.KindAccount {
		k.Partition = "A#" + string(t) + "#" + string(kind) + "#" + strings.ToLower(string(a))
	}
	return k
}

// importedGroupKey leads from a group of a tenant to the group that an import made of it.
func importedGroupKey(t directory.TenantID, g directory.TenantGroupID) table.Key {
	k := claimKey(t, directory.KindGroup, directory.AccountID(g))
	k.Sort = "imported"
	return k
}

// importedKey leads from an account to the user that an import made of it.
func importedKey(t directory.TenantID, a directory.AccountID) table.Key {
	k := claimKey(t, directory.KindAccount, a)
	k.Sort = "imported"
	return k
}

// emailKey is where it stands who has an address, of which it takes one of the
// forms of directory.AddressForms.
func emailKey(form string) table.Key { return table.Key{Partition: "E#" + form, Sort: "email"} }

// userNameKey is the same of a user name.
func userNameKey(form string) table.Key { return table.Key{Partition: "N#" + form, Sort: "userName"} }

func formerKey(c directory.ConnectionID, r directory.Ref) table.Key {
	if u := r.User(); u != "" {
		return table.Key{Partition: formerPartition(c, shardOf(r.ID)), Sort: string(u)}
	}
	return table.Key{Partition: "F#" + string(c) + "#objects", Sort: refName(r)}
}

func formerPartition(c directory.ConnectionID, shard int) string {
	return "F#" + string(c) + "#" + shardName(shard)
}

func runKey(r directory.RunID) table.Key { return table.Key{Partition: "R#" + string(r), Sort: "run"} }

func chunkKey(r directory.RunID, chunk int) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: fmt.Sprintf("c#%06d", chunk)}
}

func resultsKey(r directory.RunID, chunk, seq int) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: fmt.Sprintf("c#%06d#%06d", chunk, seq)}
}

func seenKey(r directory.RunID, n int) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: fmt.Sprintf("seen#%06d", n)}
}

func runsPartition(c directory.ConnectionID) string { return "RUNS#" + string(c) }

func noteKey(r directory.RunID, name string) table.Key {
	return table.Key{Partition: "R#" + string(r), Sort: "n#" + name}
}

func jobKey(j directory.JobID) table.Key { return table.Key{Partition: "J#" + string(j), Sort: "job"} }

func jobsPartition(c directory.ConnectionID) string { return "JOBS#" + string(c) }

// jobPlace is where a job stands among all.
func jobPlace(j directory.JobID) table.Key { return table.Key{Partition: jobsAt, Sort: string(j)} }

func openJobKey(j directory.JobID) table.Key {
	return table.Key{Partition: openJobsAt, Sort: string(j)}
}

func jobInputKey(j directory.JobID, n int) table.Key {
	return table.Key{Partition: "J#" + string(j), Sort: fmt.Sprintf("in#%06d", n)}
}

func refusedKey(j directory.JobID, n int) table.Key {
	return table.Key{Partition: "J#" + string(j), Sort: fmt.Sprintf("refused#%06d", n)}
}

func pageKey(id directory.JobID, n int) table.Key {
	return table.Key{Partition: "J#" + string(id), Sort: fmt.Sprintf("page#%06d", n)}
}

// bindingPlace is where a binding stands among those of its connection and epoch.
func bindingPlace(c directory.ConnectionID, epoch int64, r directory.Ref) table.Key {
	if u := r.User(); u != "" {
		return table.Key{Partition: bindingsPartition(c, epoch, shardOf(r.ID)), Sort: string(u)}
	}
	return table.Key{Partition: objectsPartition(c, epoch), Sort: refName(r)}
}

func bindingsPartition(c directory.ConnectionID, epoch int64, shard int) string {
	return "B#" + string(c) + "#" + itoa(epoch) + "#" + shardName(shard)
}

// objectsPartition lists the bindings of all kinds but accounts.
func objectsPartition(c directory.ConnectionID, epoch int64) string {
	return "B#" + string(c) + "#" + itoa(epoch) + "#objects"
}

func marksPartition(c directory.ConnectionID, epoch int64, lane string) string {
	return "M#" + string(c) + "#" + itoa(epoch) + "#" + lane
}

func userCountKey(shard int) table.Key {
	return table.Key{Partition: "users#count#" + shardName(shard), Sort: "count"}
}

func usersPartition(shard int) string { return "users#" + shardName(shard) }

func groupKey(g directory.GroupID) table.Key {
	return table.Key{Partition: "G#" + string(g), Sort: "profile"}
}

func groupsPartition(shard int) string { return "groups#" + shardName(shard) }

// maxNameBytes is how long a text is that stands in a key as it is. Folding makes some
// characters many: a name that the directory takes may be longer than a key may be.
const maxNameBytes = 1000

// keyText is a text of people, or of strangers, as a part of a key: one that is too long
// for that, or holds what no key may hold, is named by its hash.
func keyText(text string) string {
	if text == "" || len(text) <= maxNameBytes && (table.Key{Partition: text, Sort: text}).Check() == nil {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return "sha256#" + hex.EncodeToString(sum[:])
}

// groupNameKey is where it stands whose a name is.
func groupNameKey(name string) table.Key {
	return table.Key{Partition: "GN#" + keyText(directory.FoldName(name)), Sort: "name"}
}

// memberName is how a sort key names a member.
func memberName(m directory.MemberRef) string { return string(m.Type) + "#" + m.ID }

// memberNamed is the other side of memberName.
func memberNamed(name string) directory.MemberRef {
	t, id, _ := strings.Cut(name, "#")
	return directory.MemberRef{Type: directory.MemberType(t), ID: id}
}

// membershipKey is where a membership stands among those of its group.
func membershipKey(g directory.GroupID, m directory.MemberRef) table.Key {
	return table.Key{Partition: groupKey(g).Partition, Sort: membersPrefix + memberName(m)}
}

// memberOfKey is where the same membership stands among those of its member.
func memberOfKey(m directory.MemberRef, g directory.GroupID) table.Key {
	return table.Key{Partition: memberPartition(m), Sort: memberOfPrefix + string(g)}
}

// memberPartition is apart from the user's own: whoever ends memberships has no business
// with users.
func memberPartition(m directory.MemberRef) string {
	if g := m.Group(); g != "" {
		return groupKey(g).Partition
	}
	return "UG#" + m.ID
}

const (
	membersPrefix  = "m#"
	memberOfPrefix = "in#"
)

// nestingKey counts how often a group was put into another one.
var nestingKey = table.Key{Partition: "GROUPS", Sort: "nesting"}

// changedKey is where a note stands that somebody was edited; the note's own name tells
// it from others of the same.
func changedKey(m directory.MemberRef, note string) table.Key {
	return table.Key{Partition: changedAt, Sort: memberName(m) + "#" + note}
}

// dueUseKey is where a note stands that the use of a group is due, likewise.
func dueUseKey(c directory.ConnectionID, g directory.GroupID, note string) table.Key {
	return table.Key{Partition: "GD#" + string(c), Sort: string(g) + "#" + note}
}

// usePrefix begins the sort keys of a connection's uses of groups.
const usePrefix = "use#"

func useKey(c directory.ConnectionID, g directory.GroupID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: usePrefix + string(g)}
}

// userLicencesPrefix begins the sort keys of the rules of single users.
const userLicencesPrefix = "licences#"

func userLicencesKey(c directory.ConnectionID, u directory.UserID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: userLicencesPrefix + string(u)}
}

// useMemberKey is where it stands how far a use has been brought for a member.
func useMemberKey(c directory.ConnectionID, epoch int64, g directory.GroupID, m directory.MemberRef) table.Key {
	return table.Key{Partition: "UM#" + string(c) + "#" + itoa(epoch) + "#" + string(g), Sort: memberName(m)}
}

// unboundKey is where those members of a use stand in index 1 who could not be bound.
func unboundKey(c directory.ConnectionID, epoch int64, g directory.GroupID, m directory.MemberRef) table.Key {
	return table.Key{Partition: "UR#" + string(c) + "#" + itoa(epoch) + "#" + string(g), Sort: memberName(m)}
}

// licensedKey is where it stands that a user is to have licences by a use.
func licensedKey(c directory.ConnectionID, epoch int64, u directory.UserID, g directory.GroupID) table.Key {
	return table.Key{Partition: "UL#" + string(c) + "#" + itoa(epoch) + "#" + string(u), Sort: string(g)}
}

func purgeKey(m directory.MemberRef, at time.Time) table.Key {
	return table.Key{Partition: purgesAt, Sort: place(at, memberName(m))}
}

func formsKey() table.Key { return table.Key{Partition: "forms", Sort: "addresses"} }

func tenantKey(t directory.TenantID) table.Key {
	return table.Key{Partition: "T#" + string(t), Sort: "claim"}
}

func stateKey(hash string) table.Key { return table.Key{Partition: "S#" + hash, Sort: "state"} }

func tokenLeaseKey(c directory.ConnectionID, epoch int64) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "tokens#" + itoa(epoch)}
}

func domainKey(d string) table.Key {
	return table.Key{Partition: "D#" + directory.FoldDomain(d), Sort: "claim"}
}

func beforeImageKey(t directory.TenantID, kind directory.Kind, a directory.AccountID) table.Key {
	k := claimKey(t, kind, a)
	k.Sort = "before"
	return k
}

// deletedGroupKey leads from an export of a group, which ended with the tenant group being
// deleted, to that one. Our IDs and a tenant's are of different forms.
func deletedGroupKey(t directory.TenantID, r directory.Ref) table.Key {
	k := claimKey(t, r.Kind, directory.AccountID(r.ID))
	k.Sort = "deleted"
	return k
}

func overrideKey(c directory.ConnectionID, a directory.AccountID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "lift#" + strings.ToLower(string(a))}
}

func namedKey(c directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "named"}
}

func healthKey(c directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "health"}
}

func hourKey(c directory.ConnectionID, hour int64, part int) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: fmt.Sprintf("hour#%08d#%x", hour, part)}
}

func dayKey(c directory.ConnectionID, day time.Time) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "day#" + day.UTC().Format("20060102")}
}

// notificationKey is where NotificationState lies; "" is for all connections together.
func notificationKey(c directory.ConnectionID) table.Key {
	if c == "" {
		return table.Key{Partition: "APP", Sort: "told"}
	}
	return table.Key{Partition: "C#" + string(c), Sort: "told"}
}

func photoKey(u directory.UserID) table.Key {
	return table.Key{Partition: "P#" + string(u), Sort: "photo"}
}

func photoPlanKey(c directory.ConnectionID) table.Key {
	return table.Key{Partition: "C#" + string(c), Sort: "photos"}
}

func photoDueKey(c directory.ConnectionID, epoch int64, u directory.UserID) table.Key {
	return table.Key{Partition: "Q#" + string(c) + "#" + itoa(epoch), Sort: string(u)}
}

var (
	appQuotaKey = table.Key{Partition: "APP", Sort: "writes"}
	roundKey    = table.Key{Partition: "APP", Sort: "schedule"}
)

func reportsKey(t directory.TenantID) table.Key {
	if t == "" {
		return table.Key{Partition: "APP", Sort: "reports"}
	}
	return table.Key{Partition: "T#" + string(t), Sort: "reports"}
}

func uploadKey(id directory.UploadID) table.Key {
	return table.Key{Partition: "UP#" + string(id), Sort: "upload"}
}

func problemsPartition(c directory.ConnectionID, epoch int64) string {
	return "X#" + string(c) + "#" + itoa(epoch)
}

func problemKey(b *directory.Binding, code string) table.Key {
	return table.Key{Partition: problemsPartition(b.ConnectionID, b.Epoch), Sort: code + "#" + refName(b.Ref())}
}

func actKey(at time.Time, id string) table.Key {
	return table.Key{Partition: actsPartition(at.Unix() / 3600), Sort: place(at, actRef+id)}
}

func actsPartition(hour int64) string { return fmt.Sprintf("ACTS#%08d", hour) }

func connectionActivity(c directory.ConnectionID) string { return "ACTIVITY#" + string(c) }

// objectActivity has the hints to what concerns a user, or what is of another kind.
func objectActivity(r directory.Ref) string { return "ACTIVITY#" + refName(r) }

// handActivity has the hints to the edits of users and groups that were made by hand: what
// sources push meanwhile is not passed over to find the last of them.
const handActivity = "ACTIVITY#by-hand"

func headKey(chain string) table.Key { return table.Key{Partition: headsAt, Sort: chain} }

func linkKey(chain string, seq int64) table.Key {
	return table.Key{Partition: "CHAIN#" + chain, Sort: fmt.Sprintf("link#%010d", seq)}
}

// leafKey holds the digest, so that two who make the same link at once, of
// different entries, do not write over each other's leaves.
func leafKey(chain, digest string, part int) table.Key {
	return table.Key{Partition: "CHAIN#" + chain, Sort: fmt.Sprintf("leaf#%s#%04d", digest, part)}
}

func linkedKey(chain, subject string) table.Key {
	return table.Key{Partition: "CHAIN#" + chain, Sort: "of#" + subject}
}

func pendingLinkKey(c directory.ConnectionID, r directory.RunID) table.Key {
	return table.Key{Partition: pendingLinksAt, Sort: string(c) + "#" + string(r)}
}
