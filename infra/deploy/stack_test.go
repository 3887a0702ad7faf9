package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// stackShell has the template, a built admin, and a stack or none.
func stackShell(t *testing.T, answer any, err error) *shell {
	t.Helper()
	s := newShell(t)
	tmpl, readErr := os.ReadFile("../../template.yaml")
	if readErr != nil {
		t.Fatal(readErr)
	}
	s.file("template.yaml", string(tmpl))
	s.file(".build/admin/bootstrap", "code")
	s.aws = func(call string, _ map[string]any) (any, error) {
		switch call {
		case "cloudformation describe-stacks":
			return answer, err
		case "lambda get-account-settings":
			return map[string]any{"AccountLimit": map[string]any{"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}}, nil
		}
		t.Errorf("aws %s", call)
		return nil, nil
	}
	return s
}

const clientID = "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10"

// overrides are what sam was given of parameters.
func overrides(t *testing.T, s *shell) map[string]string {
	t.Helper()
	if len(s.streamed) != 1 || s.streamed[0][0] != "sam" {
		t.Fatalf("ran %q", s.streamed)
	}
	found := map[string]string{}
	args := s.streamed[0]
	for _, a := range args[slices.Index(args, "--parameter-overrides")+1:] {
		name, value, _ := strings.Cut(a, "=")
		found[name] = value
	}
	return found
}

func TestStack(t *testing.T) {
	s := stackShell(t, nil, errNoStack)
	err := s.stack(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "EntraClientId") || !strings.Contains(err.Error(), "make entra-app") || s.streamed != nil {
		t.Errorf("a new stack without a client ID: %v, ran %q", err, s.streamed)
	}
	s.file(".local/parameters", "# of entra-app\nEntraClientId="+clientID+"\n\nLogLevel=debug\n")
	s.env["LogLevel"], s.env["Schedule"] = "warn", `rate(10 minutes)`
	if err := s.stack(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	got := overrides(t, s)
	if got["EntraClientId"] != `"`+clientID+`"` || got["LogLevel"] != `"warn"` || got["Schedule"] != `"rate(10 minutes)"` || len(got) != 4 {
		t.Errorf("sam is given %v", got)
	}
	if args := s.streamed[0]; !slices.Contains(args, s.root+"/infra/samconfig.toml") || slices.Contains(args, "--guided") {
		t.Errorf("sam is called with %q", args)
	}

	// Another stack is not deployed with the first one's.
	s.streamed, s.env = nil, map[string]string{"STACK": "bindery-test"}
	if err := s.stack(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "EntraClientId") || s.streamed != nil {
		t.Errorf("another stack: %v, ran %q", err, s.streamed)
	}
}

// At its end a deployment says where everything is, the console where there is one.
func TestStackSaysWhere(t *testing.T) {
	for console, outputs := range map[string]map[string]string{
		"":                            {"ApiUrl": "https://api.example"},
		"https://api.example/console": {"ApiUrl": "https://api.example", "ConsoleUrl": "https://api.example/console"},
	} {
		s := stackShell(t, described(map[string]string{"EntraClientId": clientID}, outputs), nil)
		if err := s.stack(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if said := s.said.String(); strings.Contains(said, "The console is at") != (console != "") || !strings.Contains(said, console) {
			t.Errorf("with the console at %q it says\n%s", console, said)
		}
	}
}

// No two versions of admin on two tables.
func TestTableAtOnce(t *testing.T) {
	has := map[string]string{"EntraClientId": clientID, "TableName": "one", "AdminDeployment": "LambdaCanary10Percent5Minutes"}
	for _, tt := range []struct {
		env  map[string]string
		want bool // sam is called
	}{
		{map[string]string{"TableName": "two"}, false},
		{map[string]string{"TableName": "two", "AdminDeployment": "AllAtOnce"}, true},
		{map[string]string{"TableName": "one"}, true},
		{map[string]string{"LogLevel": "debug"}, true},
	} {
		s := stackShell(t, described(has, nil), nil)
		s.env = tt.env
		err := s.stack(t.Context(), nil)
		if (s.streamed != nil) != tt.want || (err == nil) != tt.want || err != nil && !strings.Contains(err.Error(), "AdminDeployment=AllAtOnce") {
			t.Errorf("%v: ran %q, %v", tt.env, s.streamed, err)
		}
	}
}

// A release is as long the same as code and parameters are, those that the stack
// has included.
func TestRelease(t *testing.T) {
	release := func(change func(*shell)) string {
		s := stackShell(t, described(map[string]string{"EntraClientId": clientID, "TableName": "", "Release": "before"}, map[string]string{"ApiUrl": "https://api.example"}), nil)
		change(s)
		if err := s.stack(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return overrides(t, s)["Release"]
	}
	same := release(func(*shell) {})
	for what, change := range map[string]func(*shell){
		"code":            func(s *shell) { s.file(".build/admin/bootstrap", "other code") },
		"another table":   func(s *shell) { s.env["TableName"] = "bindery-restored" },
		"another address": func(s *shell) { s.env["AlarmEmail"] = "ops@corp.example" },
	} {
		if got := release(change); got == same {
			t.Errorf("%s: the release stays %s", what, got)
		}
	}
	if again := release(func(*shell) {}); again != same || len(same) != 18 {
		t.Errorf("the releases of the same code and parameters are %s and %s", same, again)
	}
}

func TestParameterFaults(t *testing.T) {
	for what, tt := range map[string]struct {
		env  map[string]string
		file string
		want string
	}{
		"a pattern":          {env: map[string]string{"EntraClientId": "none"}, want: "EntraClientId must look like"},
		"a choice":           {env: map[string]string{"LogLevel": "loud"}, want: "LogLevel must be one of [debug info warn error]"},
		"a number":           {env: map[string]string{"RetentionDays": "3"}, want: "RetentionDays must be a number from 30 to 3650"},
		"no number":          {env: map[string]string{"SyncConcurrency": "many"}, want: "SyncConcurrency must be a number"},
		"a line":             {file: "EntraClientID=x\n", want: "names no parameter"},
		"a line of no shape": {file: "Schedule\n", want: "lines are Name=value"},
	} {
		s := stackShell(t, nil, errNoStack)
		s.env = tt.env
		if tt.file != "" {
			s.file(".local/parameters", tt.file)
		}
		if err := s.stack(t.Context(), nil); err == nil || !strings.Contains(err.Error(), tt.want) || s.streamed != nil {
			t.Errorf("%s: %v, want %q", what, err, tt.want)
		}
	}
}

func TestQuoted(t *testing.T) {
	if got := quoted(`a "b" \c`); got != `"a \"b\" \\c"` {
		t.Errorf("quoted = %s", got)
	}
}
