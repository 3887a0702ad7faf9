package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shell is a tool with no program behind it but those that a test gives, and a
// clock that moves as it waits.
type shell struct {
	*tool
	t     *testing.T
	env   map[string]string
	said  strings.Builder
	clock time.Time
	// aws answers the aws CLI: service, call and parameters to an answer, or the
	// words that it fails with.
	aws      func(call string, in map[string]any) (any, error)
	streamed [][]string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, env: map[string]string{}, clock: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	s.tool = &tool{
		root: t.TempDir(), getenv: func(name string) string { return s.env[name] }, out: &s.said, http: &http.Client{CheckRedirect: stay},
		run: s.program, now: func() time.Time { return s.clock },
		stream: func(_ context.Context, name string, args ...string) error {
			s.streamed = append(s.streamed, append([]string{name}, args...))
			return nil
		},
		wait: func(ctx context.Context, d time.Duration) error { s.clock = s.clock.Add(d); return ctx.Err() },
	}
	return s
}

func (s *shell) program(_ context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	if name != "aws" || s.aws == nil {
		return nil, &exec.Error{Name: name, Err: exec.ErrNotFound}
	}
	in := map[string]any{}
	for i := 2; i < len(args); i += 2 {
		switch flag := args[i]; {
		case i+1 >= len(args):
			s.t.Errorf("aws %v: %s has no value", args, flag)
		case flag == "--cli-input-json":
			if args[i+1] != "file:///dev/stdin" {
				s.t.Errorf("aws %v: parameters by %s", args, args[i+1])
			}
			if err := json.Unmarshal(stdin, &in); err != nil {
				s.t.Errorf("aws %v: %v in its input", args, err)
			}
		case flag != "--output":
			in[flag] = args[i+1]
		}
	}
	answer, err := s.aws(args[0]+" "+args[1], in)
	if err != nil {
		return nil, &commandError{name, args, err.Error(), fmt.Errorf("exit status 254")}
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw, nil
}

// file puts a file under the tool's root.
func (s *shell) file(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shell) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.root, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

// described is CloudFormation's answer about a stack with some outputs.
func described(parameters, outputs map[string]string) any {
	var ps, os []map[string]string
	for k, v := range parameters {
		ps = append(ps, map[string]string{"ParameterKey": k, "ParameterValue": v})
	}
	for k, v := range outputs {
		os = append(os, map[string]string{"OutputKey": k, "OutputValue": v})
	}
	return map[string]any{"Stacks": []any{map[string]any{"StackStatus": "UPDATE_COMPLETE", "Parameters": ps, "Outputs": os}}}
}

var errNoStack = errors.New("an error occurred (ValidationError) when calling the DescribeStacks operation: Stack with id bindery does not exist")
