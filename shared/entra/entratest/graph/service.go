package graph

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// Config is what Graph stands on.
type Config struct {
	State   *state.Store
	Faults  *faults.Set
	Quota   faults.Quota
	BaseURL func(*http.Request) string // of the simulator, as the client of a request sees it
}

// Service is Microsoft Graph. It may be used by several goroutines at once.
type Service struct {
	state    *state.Store
	faults   *faults.Set
	limits   *faults.Limiter
	base     func(*http.Request) string
	requests requestLog

	licensing licenceLock
}

// New makes the Graph of a state.
func New(c Config) *Service {
	return &Service{state: c.State, faults: c.Faults, limits: faults.NewLimiter(c.Quota), base: c.BaseURL}
}

// maxBody bounds a request's body, packed and unpacked; Microsoft's is 4 MB.
const maxBody = 4 << 20

// ServeHTTP answers one request, whose path begins with the version.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	c := &call{s: s, request: request{
		method: r.Method, header: r.Header, base: s.base(r) + "/" + strings.ToLower(version),
		id: s.state.Random.ID(), clientID: r.Header.Get("client-request-id"),
	}}
	body, err := readBody(r)
	var refused *odata.Error
	if err != nil {
		refused = &odata.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: err.Error()}
	} else {
		c.body = body
		refused = c.parse("/"+path, r.URL.RawQuery)
	}
	out := s.run(r.Context(), c, refused)
	if out.dropped {
		panic(http.ErrAbortHandler)
	}
	c.send(w, out)
}

// readBody reads a body, which may be packed with gzip.
func readBody(r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(nil, r.Body, maxBody)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, errors.New("the request body is not gzip as its Content-Encoding says")
		}
		in = io.LimitReader(z, maxBody+1)
	default:
		return nil, errors.New("the Content-Encoding is not supported")
	}
	body, err := io.ReadAll(in)
	if err != nil || len(body) > maxBody {
		return nil, errors.New("the request body cannot be read or is too large")
	}
	return body, nil
}
