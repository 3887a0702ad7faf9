// Package iam judges calls by the policies of a role, as AWS does with one
// role's identity-based policies and nothing else: an explicit Deny wins, then
// any Allow, else no. It remembers which rights were used.
//
// A statement that it does not understand is an error when the policy is read,
// never a guess: a test that lets through what AWS would refuse is worth less
// than none.
package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Request is one action on one resource.
type Request struct {
	Action   string // "dynamodb:PutItem"
	Resource string // an ARN; "*" for an action that has no resource
	// Context are the condition keys that the request has, by their names in
	// AWS's pages; names do not depend on the case.
	Context map[string][]string
}

func (r Request) String() string { return r.Action + " on " + r.Resource }

// Right is what one statement allows: one of its actions on one of its
// resources, both as they are written.
type Right struct {
	Sid      string
	Action   string
	Resource string
}

func (r Right) String() string { return fmt.Sprintf("%s: %s on %s", r.Sid, r.Action, r.Resource) }

// Role is one role's policies. It may be used by several goroutines.
type Role struct {
	// Asked is told of each request before it is judged; nil: nobody is.
	Asked func(Request)

	statements []statement

	mu     sync.Mutex
	used   map[Right]int
	calls  map[string]int // by action
	denied map[string]int // by "action on resource: why"
}

// statement is one statement of a policy, read.
type statement struct {
	sid        string
	deny       bool
	actions    []string
	resources  []string
	conditions []condition
}

// NewRole reads the statements of a role's policies: each a document's
// "Statement" as plain values, with its functions resolved.
func NewRole(statements ...any) (*Role, error) {
	r := &Role{used: map[Right]int{}, calls: map[string]int{}, denied: map[string]int{}}
	for _, list := range statements {
		for _, v := range asList(list) {
			s, err := read(v)
			if err != nil {
				return nil, err
			}
			r.statements = append(r.statements, s)
		}
	}
	return r, nil
}

// read reads one statement.
func read(v any) (statement, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return statement{}, fmt.Errorf("iam: %v is no statement", v)
	}
	s := statement{}
	for name, v := range m {
		switch name {
		case "Sid":
			s.sid = fmt.Sprint(v)
		case "Effect":
			s.deny = v == "Deny"
			if !s.deny && v != "Allow" {
				return s, fmt.Errorf("iam: effect %v", v)
			}
		case "Action":
			s.actions = texts(v)
		case "Resource":
			s.resources = texts(v)
		case "Condition":
			var err error
			if s.conditions, err = readConditions(v); err != nil {
				return s, fmt.Errorf("iam: statement %v: %w", m["Sid"], err)
			}
		default:
			return s, fmt.Errorf("iam: statement %v: %s is not known here", m["Sid"], name)
		}
	}
	if len(s.actions) == 0 || len(s.resources) == 0 || m["Effect"] == nil {
		return s, fmt.Errorf("iam: statement %v lacks an effect, an action or a resource", m["Sid"])
	}
	return s, nil
}

// Allow judges a request and remembers the rights that allowed it, or that it
// was denied. The error says why in AWS's words.
func (r *Role) Allow(q Request) error {
	if r.Asked != nil {
		r.Asked(q)
	}
	by, why := r.judge(q)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[q.Action]++
	if len(by) == 0 {
		r.denied[q.String()+": "+why]++
		return fmt.Errorf("is not authorized to perform: %s on resource: %s %s", q.Action, q.Resource, why)
	}
	for _, right := range by {
		r.used[right]++
	}
	return nil
}

// Would reports whether a request that nobody makes would be allowed. Holding a
// right can show without its use: in how a service tells what is missing. The
// rights count as used then.
func (r *Role) Would(q Request) bool {
	by, _ := r.judge(q)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, right := range by {
		r.used[right]++
	}
	return len(by) > 0
}

// judge returns the rights that allow a request; none, and why, when it is denied.
func (r *Role) judge(q Request) (by []Right, why string) {
	for _, s := range r.statements {
		rights := s.match(q)
		if len(rights) > 0 && s.deny {
			return nil, "with an explicit deny in an identity-based policy"
		}
		by = append(by, rights...)
	}
	return by, "because no identity-based policy allows the " + q.Action + " action"
}

// match returns the rights of a statement that fit a request.
func (s *statement) match(q Request) []Right {
	for _, c := range s.conditions {
		if !c.holds(q.Context) {
			return nil
		}
	}
	var found []Right
	for _, a := range s.actions {
		for _, p := range s.resources {
			if like(strings.ToLower(a), strings.ToLower(q.Action)) && like(p, q.Resource) {
				found = append(found, Right{s.sid, a, p})
			}
		}
	}
	return found
}

// Calls counts the requests by action, allowed or not.
func (r *Role) Calls() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.calls)
}

// Denied lists what was denied, and how often.
func (r *Role) Denied() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.denied)
}

// Unused lists the rights that no request has used, in the order of the policies.
func (r *Role) Unused() []Right {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Right
	for _, s := range r.statements {
		if s.deny {
			continue
		}
		for _, a := range s.actions {
			for _, p := range s.resources {
				if right := (Right{s.sid, a, p}); r.used[right] == 0 && !slices.Contains(out, right) {
					out = append(out, right)
				}
			}
		}
	}
	return out
}

// like matches with * for any characters and ? for one, as policies do: in
// ARNs, a * goes over colons and slashes.
func like(pattern, s string) bool {
	for len(pattern) > 0 {
		switch pattern[0] {
		case '*':
			pattern = strings.TrimLeft(pattern, "*")
			if pattern == "" {
				return true
			}
			for i := range len(s) + 1 {
				if like(pattern, s[i:]) {
					return true
				}
			}
			return false
		case '?':
			if s == "" {
				return false
			}
		default:
			if s == "" || s[0] != pattern[0] {
				return false
			}
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

func texts(v any) []string {
	var out []string
	for _, e := range asList(v) {
		out = append(out, fmt.Sprint(e))
	}
	return out
}
