package directory

import "time"

// UploadID names an upload ("upl_…").
type UploadID string

// NewUploadID returns a fresh ID.
func NewUploadID(now time.Time) UploadID { return UploadID(newID("upl_", now)) }

// Upload is a file that is too large for a request: its caller stores it past
// the API, once, and then has it loaded.
type Upload struct {
	ID          UploadID `json:"id"`
	Bytes       int64    `json:"bytes"`              // how large the file is; no other size is taken
	ContentType string   `json:"contentType"`        // as the caller sends it
	Format      string   `json:"format"`             // what that means; "" lets the file speak for itself
	Encoding    string   `json:"encoding,omitempty"` // what its charset means; "" lets the file speak
	// By and Source are who asked for it; nobody else may load it.
	By      string    `json:"by"`
	Source  Source    `json:"source"`
	Created time.Time `json:"created"`
	// Expires is until when the file may be stored; Forgotten, until when it may
	// be loaded.
	Expires   time.Time `json:"expires"`
	Forgotten time.Time `json:"forgotten"`
	// JobID is the job that loads it; a file is loaded once.
	JobID JobID `json:"-"`
}

// SignedRequest is a request that stores a file without any other permission.
// Whoever has it can store that one file: it is handed to its caller and kept
// nowhere.
type SignedRequest struct {
	Method  string
	URL     string
	Headers map[string]string // to be sent as they are, beside Content-Length
	Expires time.Time
}

// StoredFile is a file as it lies in store.
type StoredFile struct {
	Size    int64
	Version string // changes with the content
}
