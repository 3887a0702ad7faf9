package odata

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// PageToken says where a listing goes on.
type PageToken struct {
	After string    `json:"a,omitempty"` // id, in the natural order
	Skip  int       `json:"s,omitempty"` // objects, in any other
	Made  time.Time `json:"m"`
	Query uint64    `json:"q"`           // hash of everything else in the link
	Loop  int       `json:"l,omitempty"` // distinguishes links that lead back, by a fault
}

// DeltaToken is what a link of a delta query stands for: the parameters of the
// first call, the version up to which the client knows everything, and within a
// round the item that came last.
type DeltaToken struct {
	Kind      string    `json:"k"`
	Tenant    string    `json:"t"`
	Since     int64     `json:"p"`           // version that the client has
	Names     []string  `json:"s,omitempty"` // selected properties
	Relations []string  `json:"r,omitempty"`
	IDs       []string  `json:"f,omitempty"` // filter
	Begun     bool      `json:"b,omitempty"` // within a round
	Until     int64     `json:"u,omitempty"` // version when the round began
	Version   int64     `json:"v,omitempty"` // of the last item
	ID        string    `json:"i,omitempty"`
	Made      time.Time `json:"m"`
	Loop      int       `json:"l,omitempty"` // as in PageToken

	// Of an object whose relation fills several pages: which it is, and behind which
	// relation and id it goes on.
	SliceOf    string `json:"so,omitempty"`
	SliceAfter string `json:"sa,omitempty"`
}

// Seal makes the opaque text of a token.
func (t PageToken) Seal() string { return seal(t) }

// OpenPage reads what Seal made.
func OpenPage(text string) (t PageToken, ok bool) {
	ok = unseal(text, &t)
	return t, ok
}

// Seal makes the opaque text of a token.
func (t DeltaToken) Seal() string { return seal(t) }

// OpenDelta reads what Seal made.
func OpenDelta(text string) (t DeltaToken, ok bool) {
	ok = unseal(text, &t)
	return t, ok
}

// prefix is how Microsoft's tokens begin, too.
const prefix = "RFNwdAIAAQAAAB"

func seal(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return prefix + base64.RawURLEncoding.EncodeToString(raw)
}

func unseal(text string, v any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, prefix))
	return err == nil && json.Unmarshal(raw, v) == nil
}

// maxIDs is how many ids the filter of a delta query may name.
const maxIDs = 50

var idRE = regexp.MustCompile(`(?i)^\s*id\s+eq\s+'?([0-9a-f-]{36})'?\s*(?:or\s+|$)`)

// ParseIDs reads the one $filter that a delta query takes, a choice of ids, and
// returns them in lower case.
func ParseIDs(filter string) ([]string, *Error) {
	var ids []string
	for rest := filter; strings.TrimSpace(rest) != ""; {
		m := idRE.FindStringSubmatch(rest)
		if m == nil {
			return nil, Unsupported("Only filters of the form id eq '{id}' joined by or are supported for delta queries.")
		}
		ids = append(ids, strings.ToLower(m[1]))
		rest = rest[len(m[0]):]
	}
	if len(ids) > maxIDs {
		return nil, Unsupported("The filter of a delta query can name %d ids at most.", maxIDs)
	}
	return ids, nil
}
