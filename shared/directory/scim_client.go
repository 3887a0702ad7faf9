package directory

import (
	"cmp"
	"time"
)

// ScimClient is an identity provider that pushes people and groups by SCIM, as an admin
// has set it up. What it may do is no more than to feed the directory.
type ScimClient struct {
	ID   ScimClientID `json:"id"`
	Name string       `json:"name"`
	// Provider is which identity provider it is, for whoever sets it up there; "" is any
	// other one. Requests are answered alike.
	Provider ScimProvider `json:"provider,omitempty"`
	// Strict refuses what the RFCs of SCIM refuse; otherwise a request is bent to what it
	// means, and the request log tells how.
	Strict bool `json:"strict"`
	// Paused answers every request with 503, until an admin lets the client go on.
	Paused bool `json:"paused"`
	// OwnOnly shows the client the users and groups that it has pushed, and no others.
	OwnOnly bool `json:"ownOnly"`
	// CountryAsUsageLocation has the country of the work address be the usage location of
	// who has none, where it is a code of two letters.
	CountryAsUsageLocation bool `json:"countryAsUsageLocation"`
	// Mapping are attributes of the client's own schemas that feed custom attributes.
	Mapping []ScimMapping `json:"mapping,omitempty"`
	// OAuthClientID is the app of the API's issuer whose tokens, got by client credentials,
	// are the client's as well; with "" there is none.
	OAuthClientID string `json:"oauthClientId,omitempty"`
	// SilentDays is after how many days without a request the client is told to be silent;
	// 0 for one that may be silent as long as it likes.
	SilentDays int `json:"silentDays"`
	// LastSeen is when a request of the client was last answered, to the hour; the zero
	// time says never.
	LastSeen time.Time `json:"lastSeen,omitzero"`
	// WrongToken is when somebody last came to the client's address without a token that
	// opens it, to the minute. Whoever it was: it is for the admin who has mistyped one.
	WrongToken time.Time `json:"wrongToken,omitzero"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated"`
	Version    int64     `json:"version"`
}

// ScimProvider names an identity provider whose settings are known.
type ScimProvider string

// The identity providers whose settings are known.
const (
	ProviderOkta      ScimProvider = "okta"
	ProviderEntra     ScimProvider = "entra"
	ProviderOneLogin  ScimProvider = "onelogin"
	ProviderJumpCloud ScimProvider = "jumpcloud"
	ProviderRippling  ScimProvider = "rippling"
	ProviderAuthentik ScimProvider = "authentik"
	ProviderPing      ScimProvider = "ping"
)

// ScimProviders are all of them, in the order in which they are offered.
var ScimProviders = []ScimProvider{ProviderOkta, ProviderEntra, ProviderOneLogin, ProviderJumpCloud, ProviderRippling, ProviderAuthentik, ProviderPing}

// ScimMapping says that an attribute of an extension of SCIM feeds an attribute of users.
type ScimMapping struct {
	Schema    string `json:"schema"`    // URN of the extension
	Attribute string `json:"attribute"` // a simple text
	Path      string `json:"path"`      // in a user: "customAttributes.badge"
}

// ScimToken is what is kept of a token of a client: not the token itself, of which its
// owner alone knows the secret.
type ScimToken struct {
	ID       ScimTokenID  `json:"id"`
	ClientID ScimClientID `json:"clientId"`
	// Hash is the SHA-256 of the secret, which has 256 random bits.
	Hash    []byte    `json:"-"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// LastUsed is to the hour; the zero time says never.
	LastUsed time.Time `json:"lastUsed,omitzero"`
	// Revoked is when an admin ended it; nil for one that is alive until it expires.
	Revoked *time.Time `json:"revoked,omitempty"`
}

// Alive reports whether the token opens anything at a moment.
func (t *ScimToken) Alive(now time.Time) bool { return t.Revoked == nil && now.Before(t.Expires) }

// ScimTokenInUse is the token that a client uses, of those that are alive: the one that was
// used last. A new one that nobody has put to use helps nobody. False when none is alive.
func ScimTokenInUse(tokens []ScimToken, now time.Time) (ScimToken, bool) {
	var inUse *ScimToken
	for i := range tokens {
		t := &tokens[i]
		if t.Alive(now) && (inUse == nil || cmp.Or(t.LastUsed.Compare(inUse.LastUsed), t.Expires.Compare(inUse.Expires)) > 0) {
			inUse = t
		}
	}
	if inUse == nil {
		return ScimToken{}, false
	}
	return *inUse, true
}

// Refused reports whether the request was answered with an error.
func (r *ScimRequest) Refused() bool { return r.Status >= 400 }

// Changes reports whether the request has changed a user or a group. Of what it deleted
// no attribute is named.
func (r *ScimRequest) Changes() bool {
	return len(r.Changed) > 0 || r.Method == "DELETE" && !r.Refused()
}

// ScimWindow is how long the requests of a client are counted together.
const ScimWindow = 20 * time.Second

// ScimRate is how many requests of a client were counted lately, by all processes.
type ScimRate struct {
	Window      int64 // the number of the ScimWindow in which it was read
	Before, Now int64 // of the window before, and of that one so far
}

// ScimCount is how many requests of a client one process adds to those of a window.
type ScimCount struct{ Window, Requests int64 }

// ScimMark is where a listing stood when it came to an index, as a client paged by numbers.
type ScimMark struct {
	Index  int // 0: there is none
	Cursor string
	Total  int // of all in the listing at that moment
}

// ScimRequest is one request of a client, as the log keeps it for some days.
type ScimRequest struct {
	At       time.Time   `json:"at"`
	TokenID  ScimTokenID `json:"tokenId,omitempty"`
	Method   string      `json:"method"`
	Path     string      `json:"path"` // below the client's own
	Filter   []string    `json:"filter,omitempty"`
	Status   int         `json:"status"`
	ScimType string      `json:"scimType,omitempty"`
	Detail   string      `json:"detail,omitempty"` // why it was refused
	UserID   UserID      `json:"userId,omitempty"`
	GroupID  GroupID     `json:"groupId,omitempty"`
	// Sent is the userName of the user, or the displayName of the group, that a refused
	// request has sent: the one value that is kept of it, so that it is known whom it was
	// about.
	Sent string `json:"sent,omitempty"`
	// HolderID is the user, or the group, who has the value for which a request was refused
	// as taken (409), where the client sees them.
	HolderID string `json:"holderId,omitempty"`
	// Changed are the attributes of the user, or of the group, that it changed.
	Changed []string `json:"changed,omitempty"`
	// Notes tell what was bent, ignored or not taken.
	Notes []string `json:"notes,omitempty"`
	// Suspended and Deleted say what it did to a user who was there.
	Suspended    bool  `json:"suspended,omitempty"`
	Deleted      bool  `json:"deleted,omitempty"`
	Milliseconds int64 `json:"milliseconds"`
}

// ScimTally is how many users a client has suspended, and how many it has deleted, since a
// time: each counts once, however often, and whatever they are by now.
type ScimTally struct {
	Since     time.Time `json:"since"`
	Suspended int       `json:"suspended"`
	Deleted   int       `json:"deleted"`
}
