package main

import (
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	env := map[string]string{"LOCAL_API_PORT": "http", "LOGIN_BASE_URL": "ftp://x", "LOCAL_M365_PORT": "0"}
	_, err := readSettings(func(name string) string { return env[name] })
	if err == nil {
		t.Fatal("bad settings were accepted")
	}
	for _, want := range []string{"LOCAL_API_PORT must be a port", "LOGIN_BASE_URL must be", "LOCAL_M365_PORT must be", "go together"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults %q lack %q", err, want)
		}
	}
	s, err := readSettings(func(string) string { return "" })
	if err != nil || s.APIPort != 8080 || s.M365Port != 8365 || s.State != ".local" || !s.simulated() {
		t.Errorf("defaults = %+v, %v", s, err)
	}
}
