package directory

import "time"

// Photo is a user's picture, as it is kept.
type Photo struct {
	UserID UserID `json:"userId"`
	// Type is image/jpeg or image/png; "" when there is no picture that could
	// be kept, which is remembered as well.
	Type   string `json:"type,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	Data   []byte `json:"data,omitempty"`
	Digest string `json:"digest,omitempty"` // of Data; it is the ETag
	// Of whose account it is, and what Microsoft calls this state of it.
	ConnectionID ConnectionID `json:"connectionId"`
	AccountID    AccountID    `json:"accountId"`
	MediaETag    string       `json:"mediaEtag,omitempty"`
	// Checked is when Microsoft was last asked; Refused is why its picture was
	// not kept.
	Checked time.Time `json:"checked"`
	Refused string    `json:"refused,omitempty"`
}
