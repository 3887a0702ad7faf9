package directory

import (
	"crypto/rand"
	"strings"
	"time"
)

// IDs of the two sides are distinct types, so that they cannot be swapped.
type (
	// UserID names a user of our directory ("usr_…").
	UserID string
	// GroupID names a group of our directory ("grp_…").
	GroupID string
	// ConnectionID names a connection ("con_…").
	ConnectionID string
	// RunID names a run ("run_…"). IDs of later runs sort after those of earlier ones.
	RunID string
	// ChangeID names a change: its run's ID, a dot, and its place in the run.
	ChangeID string
	// JobID names a job ("job_…").
	JobID string
	// SignInID names an admin's sign-in and the tokens that came of it ("sgn_…").
	SignInID string
	// ScimClientID names a client that pushes by SCIM ("scl_…").
	ScimClientID string
	// ScimTokenID names a token of such a client ("sct_…"); it is no secret.
	ScimTokenID string
	// TenantID is the Entra tenant's GUID (the claim "tid").
	TenantID string
	// AccountID is the object ID of a user in Microsoft Graph (the claim "oid").
	AccountID string
	// TenantGroupID is the object ID of a group in Microsoft Graph.
	TenantGroupID string
	// SKUID is the GUID of a product that a tenant has licences of (skuId).
	SKUID string
	// ServicePlanID is the GUID of a service within a product (servicePlanId).
	ServicePlanID string
)

// base32 in Crockford's alphabet, lower case: no letter that reads as a digit,
// and byte order is numeric order.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// Valid reports whether a text from outside could be a user's ID at all:
// printable ASCII, of a sensible length.
func (id UserID) Valid() bool { return validID(string(id)) }

// Valid reports whether a text from outside could be a group's ID at all.
func (id GroupID) Valid() bool { return validID(string(id)) }

func validID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// NewUserID returns a fresh ID.
func NewUserID(now time.Time) UserID { return UserID(newID("usr_", now)) }

// NewGroupID returns a fresh ID.
func NewGroupID(now time.Time) GroupID { return GroupID(newID("grp_", now)) }

// NewConnectionID returns a fresh ID.
func NewConnectionID(now time.Time) ConnectionID { return ConnectionID(newID("con_", now)) }

// NewRunID returns a fresh ID; one made in a later millisecond sorts later.
func NewRunID(now time.Time) RunID { return RunID(newID("run_", now)) }

// NewJobID returns a fresh ID.
func NewJobID(now time.Time) JobID { return JobID(newID("job_", now)) }

// NewSignInID returns a fresh ID.
func NewSignInID(now time.Time) SignInID { return SignInID(newID("sgn_", now)) }

// NewScimClientID returns a fresh ID.
func NewScimClientID(now time.Time) ScimClientID { return ScimClientID(newID("scl_", now)) }

// ScimClientOf is the client that a subject of edits is; false for anybody else.
func ScimClientOf(subject string) (ScimClientID, bool) {
	return ScimClientID(subject), strings.HasPrefix(subject, "scl_")
}

// NewScimTokenID returns a fresh ID.
func NewScimTokenID(now time.Time) ScimTokenID { return ScimTokenID(newID("sct_", now)) }

// newID is the prefix, 48 bits of Unix milliseconds, 24 of the nanoseconds
// within, so that what follows each other in one process sorts so, and 56 random
// bits.
func newID(prefix string, now time.Time) string {
	var raw [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		raw[i] = byte(ms >> (40 - 8*i))
	}
	ns := uint64(now.Nanosecond() % int(time.Millisecond))
	raw[6], raw[7], raw[8] = byte(ns>>16), byte(ns>>8), byte(ns)
	rand.Read(raw[9:])
	var b strings.Builder
	b.WriteString(prefix)
	var acc uint64
	bits := 0
	for _, c := range raw {
		acc = acc<<8 | uint64(c)
		bits += 8
		for bits >= 5 {
			bits -= 5
			b.WriteByte(idAlphabet[acc>>bits&31])
		}
	}
	if bits > 0 {
		b.WriteByte(idAlphabet[acc<<(5-bits)&31])
	}
	return b.String()
}
