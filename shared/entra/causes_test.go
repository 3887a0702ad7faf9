package entra

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// rawAnswer is an HTTP answer as it is kept in testdata: a body that is JSON, or a
// text that is not of Graph.
type rawAnswer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Text    string            `json:"text"`
}

// trial says by which requests an answer is met. Batch is the code when it is the
// answer to a whole batch of writes, of whose items nothing is known then; it is
// Code or Is unless given.
type trial struct {
	Via        []act                `json:"via"`
	Properties directory.Properties `json:"properties"`
	Batch      string               `json:"batch"`
	Answer     rawAnswer            `json:"answer"`
}

// causeFile is one file of testdata/causes.
type causeFile struct {
	trial
	Code       string               `json:"code"`
	Also       []rawAnswer          `json:"also"` // other answers of the same cause
	Says       []string             `json:"says"`
	Holder     string               `json:"holder"`
	HolderKind directory.HolderKind `json:"holderKind"`
	Near       []struct {
		trial
		Why string `json:"why"`
		Is  string `json:"is"`
	} `json:"near"`
}

func readCauses(t *testing.T) map[string]causeFile {
	t.Helper()
	names, err := filepath.Glob("testdata/causes/*.json")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]causeFile, len(names))
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f causeFile
		if err := json.Unmarshal(raw, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.Code+".json" != filepath.Base(name) || len(f.Near) == 0 {
			t.Errorf("%s is about %q and has %d near misses", name, f.Code, len(f.Near))
		}
		files[f.Code] = f
	}
	return files
}

// met is one meeting with an answer through the adapter.
type met struct {
	how     string
	code    string
	problem *directory.Problem
	gone    bool
}

// meet serves an answer to every request that a trial is for, as a direct answer
// and as an item of a batch, and collects what comes of it.
func (w *world) meet(tr trial, a rawAnswer) []met {
	w.Helper()
	text := a.Text
	item := json.RawMessage(`"` + base64.StdEncoding.EncodeToString([]byte(text)) + `"`)
	if len(a.Body) > 0 {
		text, item = string(a.Body), a.Body
	}
	direct := func(*http.Request) (*http.Response, error) {
		resp := answer(a.Status, text)
		for k, v := range a.Headers {
			resp.Header.Set(k, v)
		}
		return resp, nil
	}
	within := func(*http.Request) (*http.Response, error) {
		one := map[string]any{"id": "1", "status": a.Status, "headers": a.Headers}
		if text != "" {
			one["body"] = item
		}
		raw, err := json.Marshal(map[string]any{"responses": []any{one}})
		if err != nil {
			w.Error(err)
		}
		return answer(200, string(raw)), nil
	}
	var all []met
	add := func(how string, err error) {
		p, ok := errors.AsType[*directory.Problem](err)
		if !ok {
			p = &directory.Problem{Code: fmt.Sprintf("no problem but %v", err)}
		}
		all = append(all, met{how: how, code: p.Code, problem: p})
	}
	via := tr.Via
	if via == nil {
		via = []act{actRead, actCreate, actUpdate, actSensitive}
	}
	for _, on := range via {
		if on == actRead {
			w.round = direct
			_, err := w.tenant.List(w.Context(), nil, simBase+"/v1.0/users?$skiptoken=x")
			if a.Status >= 400 {
				add("read", err)
			}
			w.round = within
			found, err := w.tenant.Lookup(w.Context(), []string{plainID}, nil)
			switch {
			case err != nil:
				add("read in a batch", err)
			case found[0].Problem == nil:
				all = append(all, met{how: "read in a batch", code: directory.CodeAccountNotFound, gone: true})
			default:
				all = append(all, met{how: "read in a batch", code: found[0].Problem.Code, problem: found[0].Problem})
			}
			continue
		}
		write := tr.write(on)
		w.round = within
		out, err := w.tenant.Write(w.Context(), []directory.Write{write})
		if err != nil {
			add(string(on), err)
		} else if out[0].Problem == nil {
			add(string(on), errors.New("success"))
		} else {
			all = append(all, met{how: string(on), code: out[0].Problem.Code, problem: out[0].Problem})
		}
		if a.Status >= 400 {
			w.round = direct
			_, err = w.tenant.Write(w.Context(), []directory.Write{write})
			add("batch", err)
		}
	}
	w.round = nil
	return all
}

// write makes a write of a kind.
func (tr *trial) write(on act) directory.Write {
	const group, sku = "66666666-aaaa-4bbb-8ccc-000000000001", "99999999-aaaa-4bbb-8ccc-000000000001"
	licences := directory.LicenceChange{Add: []directory.AssignedLicence{{SKU: sku}}}
	switch on {
	case actGroup:
		p := directory.Properties{"displayName": directory.StringValue("Staff")}
		maps.Copy(p, tr.Properties)
		return directory.Write{Effect: directory.EffectGroupUpdate, GroupID: group, Properties: p}
	case actGroupRestore:
		return directory.Write{Effect: directory.EffectGroupRestore, GroupID: group}
	case actMember:
		return directory.Write{Effect: directory.EffectMemberAdd, GroupID: group, AccountID: plainID}
	case actMemberRemove:
		return directory.Write{Effect: directory.EffectMemberRemove, GroupID: group, AccountID: plainID}
	case actManager:
		return directory.Write{Effect: directory.EffectManagerSet, AccountID: plainID, ManagerID: boxID}
	case actManagerClear:
		return directory.Write{Effect: directory.EffectManagerClear, AccountID: plainID}
	case actLicence:
		return directory.Write{Effect: directory.EffectLicenceAdd, AccountID: plainID, Licences: licences}
	case actGroupLicence:
		return directory.Write{Effect: directory.EffectLicenceAdd, GroupID: group, Licences: licences}
	case actCreate:
		c := creation("new")
		for k, v := range tr.Properties {
			c.Properties[k] = v
		}
		return c
	case actRestore:
		return directory.Write{Effect: directory.EffectRestore, AccountID: plainID}
	}
	p := directory.Properties{}
	for k, v := range tr.Properties {
		p[k] = v
	}
	if on == actSensitive && !slices.ContainsFunc(p.Names(), needsHigherRole) {
		p[directory.PropMobilePhone] = directory.StringValue("+41 44 111 22 33")
	}
	if len(p) == 0 {
		p["jobTitle"] = directory.StringValue("Clerk")
	}
	return update(plainID, p)
}

// TestCauses serves each answer of the catalogue over HTTP and looks what the
// adapter says to it, and that its near misses are something else.
func TestCauses(t *testing.T) {
	t.Parallel()
	files := readCauses(t)
	w := newWorld(t, 0)
	w.graph.adapter = uncheckedRound(t, w)
	for _, c := range causes {
		f, ok := files[c.code]
		if !ok {
			t.Errorf("%s has no file in testdata/causes", c.code)
			continue
		}
		for n, a := range append([]rawAnswer{f.Answer}, f.Also...) {
			for _, m := range w.meet(f.trial, a) {
				want := c.code
				if m.how == "batch" && f.Batch != "" {
					want = f.Batch
				}
				if m.code != want {
					t.Errorf("answer %d of %s, %s: code %s, want %s", n, c.code, m.how, m.code, want)
				} else if !m.gone && m.how != "batch" {
					checkProblem(t, &c, &f, n == 0, m)
				}
			}
		}
		for _, near := range f.Near {
			if near.Via == nil {
				near.Via = f.Via
			}
			for _, m := range w.meet(near.trial, near.Answer) {
				want := near.Is
				if m.how == "batch" && near.Batch != "" {
					want = near.Batch
				}
				if m.code != want || near.Is == c.code {
					t.Errorf("near miss of %s (%s), %s: code %s, want %s", c.code, near.Why, m.how, m.code, want)
				}
			}
		}
		delete(files, c.code)
	}
	for code := range files {
		t.Errorf("testdata/causes has %s, which is not in the catalogue", code)
	}
	if len(causes) < 36 {
		t.Errorf("the catalogue has %d causes", len(causes))
	}
}

func checkProblem(t *testing.T, c *cause, f *causeFile, first bool, m met) {
	t.Helper()
	p := m.problem
	if p.Kind == "" || p.Message == "" || p.Next == "" || strings.ContainsAny(p.Message+p.Next, "{}") {
		t.Errorf("%s, %s: the problem is not complete: %+v", c.code, m.how, p)
	}
	if p.MicrosoftStatus != f.Answer.Status && first {
		t.Errorf("%s, %s: Microsoft's status = %d", c.code, m.how, p.MicrosoftStatus)
	}
	if id := f.Answer.Headers["request-id"]; first && id != "" && p.RequestID != id {
		t.Errorf("%s, %s: request id %q, want %q", c.code, m.how, p.RequestID, id)
	}
	if p.Holder != f.Holder || p.HolderKind != f.HolderKind {
		t.Errorf("%s, %s: the holder is %s %q, want %s %q", c.code, m.how, p.HolderKind, p.Holder, f.HolderKind, f.Holder)
	}
	for _, part := range f.Says {
		if !strings.Contains(p.Message, part) {
			t.Errorf("%s, %s: the sentence %q does not have %q", c.code, m.how, p.Message, part)
		}
	}
}

// TestCausesAreTold: each cause has a code of its own, for which the registry has
// words and a kind.
func TestCausesAreTold(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range causes {
		typ := directory.ProblemTypeOf(c.code)
		if seen[c.code] || typ.Means == "" || typ.Next == "" || typ.Kind == "" {
			t.Errorf("the code %q is there twice, or the registry lacks words for it: %+v", c.code, typ)
		}
		seen[c.code] = true
	}
}

// TestNamesDoNotDecide: a value that Microsoft repeats, whatever it is, does not
// change what an error means.
func TestNamesDoNotDecide(t *testing.T) {
	t.Parallel()
	for _, name := range tellingNames() {
		checkName(t, name)
	}
}

// tellingNames are all the words that the catalogue looks for, and ways out of
// the quotation marks around them.
func tellingNames() []string {
	names := []string{"", "'", "''", "x' y", "O'Brien", "d'Arc' is", `"`, "\x00"}
	for _, c := range causes {
		for _, s := range c.signs {
			for word := range strings.SplitSeq(s.words, "|") {
				names = append(names, word, "x' "+word, "x' "+word+" 'y", word+"'")
			}
		}
	}
	return names
}

func checkName(t *testing.T, name string) {
	t.Helper()
	body := func(details string) []byte {
		message, err := json.Marshal("Invalid value '" + name + "' specified for property 'displayName' of resource 'User'.")
		if err != nil {
			t.Fatal(err)
		}
		return []byte(`{"error":{"code":"Request_BadRequest","message":` + string(message) + details + `}}`)
	}
	detailed := body(`,"details":[{"code":"InvalidValue","message":"x","target":"displayName"}]`)
	if p := classify(400, nil, detailed, asked{act: actUpdate}).problem; p.Code != "property-invalid" && p.Code != "property-too-long" {
		t.Errorf("a refused value %q is taken for %s", name, p.Code)
	}
	if strings.Contains(name, "'") {
		return // without a detail, a value that leaves its quotation marks may say anything
	}
	p := classify(400, nil, body(""), asked{act: actUpdate}).problem
	if p.Code != "property-invalid" && p.Code != "graph-error" && p.Code != "property-unknown" {
		t.Errorf("a refused value %q, without a detail, is taken for %s", name, p.Code)
	}
}

// FuzzClassify feeds bodies and names; whatever comes, there is a cause.
func FuzzClassify(f *testing.F) {
	for _, name := range tellingNames() {
		f.Add(name, []byte(graphError(name, name, "")), 400)
	}
	f.Add("x", []byte(`{"error":{"details":[null,1,{"target":"User_x"}],"innerError":{"innerError":{"innerError":[]}}}}`), 409)
	f.Fuzz(func(t *testing.T, name string, body []byte, status int) {
		for _, q := range []asked{{}, {act: actRead}, {act: actUpdate, properties: directory.Properties{"mail": directory.StringValue(name)}}} {
			p := classify(status, http.Header{"Www-Authenticate": {name}}, body, q).problem
			if p.Code == "" || p.Kind == "" || p.Message == "" || len(p.MicrosoftMessage) > 5*maxMessage || len(p.Message) > 3000 {
				t.Errorf("classify(%d, %q) = %+v", status, body, p)
			}
		}
		checkName(t, name)
	})
}
