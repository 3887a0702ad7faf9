package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"bindery/infra/stack"
	"bindery/shared/directory"
)

// settings of the local stack, all optional, by environment.
type settings struct {
	APIPort, M365Port int
	State             string
	// Microsoft names another Microsoft 365 than the simulated one.
	Microsoft stack.Microsoft
	Hosts     []string // further names under which the stack may be reached
	DNSServer string   // that the doctor asks; empty: a public one
}

// simulated reports whether the stack brings its own Microsoft 365.
func (s settings) simulated() bool { return s.Microsoft.LoginBaseURL == "" }

// readSettings checks everything and reports all faults at once.
func readSettings(getenv func(string) string) (settings, error) {
	var faults []error
	port := func(name string, fallback int) int {
		text := getenv(name)
		if text == "" {
			return fallback
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 65535 {
			faults = append(faults, fmt.Errorf("%s must be a port number from 1 to 65535, not %q", name, text))
		}
		return n
	}
	base := func(name string) string {
		text := strings.TrimRight(getenv(name), "/")
		if u, err := url.Parse(text); text != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			faults = append(faults, fmt.Errorf("%s must be an http or https address, not %q", name, text))
		}
		return text
	}
	s := settings{
		APIPort: port("LOCAL_API_PORT", 8080), M365Port: port("LOCAL_M365_PORT", 8365), State: getenv("LOCAL_STATE"),
		Microsoft: stack.Microsoft{
			LoginBaseURL: base("LOGIN_BASE_URL"), GraphBaseURL: base("GRAPH_BASE_URL"),
			ClientID: getenv("M365_CLIENT_ID"), ClientSecret: directory.NewSecret(getenv("M365_CLIENT_SECRET")),
		},
		DNSServer: getenv("DNS_SERVER"),
		Hosts:     strings.FieldsFunc(getenv("LOCAL_HOSTS"), func(r rune) bool { return r == ',' || r == ' ' }),
	}
	if s.State == "" {
		s.State = ".local"
	}
	if (s.Microsoft.LoginBaseURL == "") != (s.Microsoft.GraphBaseURL == "") {
		faults = append(faults, errors.New("LOGIN_BASE_URL and GRAPH_BASE_URL go together: set both or neither"))
	}
	if !s.simulated() && (s.Microsoft.ClientID == "" || s.Microsoft.ClientSecret.IsZero()) {
		faults = append(faults, errors.New("another Microsoft 365 needs M365_CLIENT_ID and M365_CLIENT_SECRET"))
	}
	if s.APIPort == s.M365Port && s.simulated() {
		faults = append(faults, errors.New("LOCAL_API_PORT and LOCAL_M365_PORT must differ"))
	}
	return s, errors.Join(faults...)
}
