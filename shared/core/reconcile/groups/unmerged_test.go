package groups_test

import (
	"bytes"
	"io"
	"net/http"
)

// dropLic leaves out of requests what the simulator does not know before its licences
// are merged.
type dropLic struct{ rt http.RoundTripper }

func (l dropLic) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.ReplaceAll(body, []byte(",licenseProcessingState"), nil)
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return l.rt.RoundTrip(r)
}
