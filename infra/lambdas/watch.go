package lambdas

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"index/suffixarray"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Secrets collects what no log may hold: keys, tokens, codes, passwords, as
// they pass by.
type Secrets struct {
	mu   sync.Mutex
	seen map[string]bool
}

// shortest is the length below which a text is no secret: it would be found by
// chance.
const shortest = 8

// Add adds a secret; of a JSON document, each text in it.
func (s *Secrets) Add(text string) {
	var v any
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &v) == nil {
		walk("", v, func(_, text string) { s.add(text) })
		return
	}
	s.add(text)
}

func (s *Secrets) add(text string) {
	if len(text) < shortest {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	s.seen[text] = true
}

// walk visits each text of a JSON value with the name of its member.
func walk(name string, v any, visit func(name, text string)) {
	switch v := v.(type) {
	case string:
		visit(name, v)
	case []any:
		for _, e := range v {
			walk(name, e, visit)
		}
	case map[string]any:
		for name, e := range v {
			walk(name, e, visit)
		}
	}
}

// The members of JSON bodies, and of forms and addresses, that hold secrets.
var (
	secretMembers = []string{"access_token", "refresh_token", "id_token", "client_secret", "password", "temporaryPassword", "temporaryAccessPass"}
	secretFields  = append([]string{"code", "state", "code_verifier", "nonce"}, secretMembers...)
)

// Watch hands requests on and collects the secrets that pass: in forms,
// addresses and JSON bodies of both directions, cookies, and bearer tokens.
func (s *Secrets) Watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "the body ends early", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.fields(r.URL.Query())
		if form, err := url.ParseQuery(string(body)); err == nil && strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			s.fields(form)
		}
		s.members(body)
		if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			s.add(token)
		}
		for _, c := range r.Cookies() {
			s.add(c.Value)
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		got := answer.Result()
		for _, c := range got.Cookies() {
			s.add(c.Value)
		}
		if to, err := got.Location(); err == nil {
			s.fields(to.Query())
		}
		s.members(answer.Body.Bytes())
		for name, values := range got.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // the caller is gone
	})
}

func (s *Secrets) fields(values url.Values) {
	for _, name := range secretFields {
		for _, v := range values[name] {
			s.add(v)
		}
	}
}

func (s *Secrets) members(body []byte) {
	var v any
	if json.Unmarshal(body, &v) == nil {
		walk("", v, func(name, text string) {
			if slices.Contains(secretMembers, name) {
				s.add(text)
			}
		})
	}
}

// Found returns where a text holds a secret, plain or encoded: each place with
// what stands around it, the secret itself blotted out.
func (s *Secrets) Found(text []byte) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	index := suffixarray.New(text)
	var places []string
	for secret := range s.seen {
		for how, form := range map[string]string{
			"plain": secret, "in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
			"in hexadecimal": hex.EncodeToString([]byte(secret)), "escaped": url.QueryEscape(secret),
		} {
			if how == "escaped" && form == secret {
				continue
			}
			if at := index.Lookup([]byte(form), 1); len(at) > 0 {
				before := text[max(0, at[0]-120):at[0]]
				if i := bytes.LastIndexByte(before, '\n'); i >= 0 {
					before = before[i+1:]
				}
				places = append(places, fmt.Sprintf("%s[a secret of %d characters, %s]", before, len(secret), how))
			}
		}
	}
	slices.Sort(places)
	return places
}

// Len is how many secrets were seen.
func (s *Secrets) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// samples are the values of metrics: by namespace, name and the value of the
// one dimension that there may be.
type samples map[[3]string][]float64

// read adds the metrics of a log line in CloudWatch's embedded format.
func (s samples) read(line []byte) {
	var head struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	var members map[string]any
	if json.Unmarshal(line, &head) != nil || len(head.AWS.CloudWatchMetrics) == 0 || json.Unmarshal(line, &members) != nil {
		return
	}
	for _, group := range head.AWS.CloudWatchMetrics {
		for _, dimensions := range group.Dimensions {
			value := ""
			if len(dimensions) > 0 {
				value = fmt.Sprint(members[dimensions[0]])
			}
			for _, m := range group.Metrics {
				if v, ok := members[m.Name].(float64); ok {
					key := [3]string{group.Namespace, m.Name, value}
					s[key] = append(s[key], v)
				}
			}
		}
	}
}

// statistic is what an alarm compares: of all the values that there were.
func statistic(name string, values []float64) float64 {
	switch {
	case len(values) == 0:
		return 0
	case name == "Minimum":
		return slices.Min(values)
	case name == "Sum":
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum
	}
	return slices.Max(values)
}
