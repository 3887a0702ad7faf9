package app

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// good is an environment in which every function starts.
func good() map[string]string {
	return map[string]string{
		"TABLE_NAME":              "bindery-Table-1A2B3C",
		"QUEUE_URL":               "https://sqs.eu-central-1.amazonaws.com/123456789012/work",
		"LOAD_QUEUE_URL":          "https://sqs.eu-central-1.amazonaws.com/123456789012/load",
		"SWEEP_QUEUE_URL":         "https://sqs.eu-central-1.amazonaws.com/123456789012/sweep",
		"SECRET_PREFIX":           "bindery/prod/",
		"KMS_KEY_ID":              "arn:aws:kms:eu-central-1:123456789012:key/0b1c",
		"SEAL_KEY_ID":             "arn:aws:kms:eu-central-1:123456789012:key/0e2f",
		"HEADS_BUCKET":            "bindery-prod-heads",
		"EVENT_BUS_NAME":          "bindery-prod-notices",
		"UPLOAD_BUCKET":           "bindery-prod-uploadbucket-1a2b3c4d",
		"STATE_KEY_SECRET":        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bindery/prod/state-key-AbCdEf",
		"PASSWORD_KEY_SECRET":     "bindery/prod/password-key",
		"M365_CLIENT_ID":          "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10",
		"M365_CLIENT_SECRET_NAME": "bindery/entra-client-secret",
		"PUBLIC_BASE_URL":         "https://api.example.com/",
		"CONSOLE_ISSUER":          "https://issuer.example.com/tenant/",
		"CONSOLE_CLIENT_ID":       "bindery-console",
		"CONSOLE_SCOPES":          "bindery/read bindery/write",
		"CONSOLE_AUTH_PARAMS":     "audience=bindery",
		"LOG_LEVEL":               "warn",
		"METRICS_NAMESPACE":       "bindery/prod",
	}
}

func with(changes ...string) func(string) string {
	env := good()
	for i := 0; i < len(changes); i += 2 {
		env[changes[i]] = changes[i+1]
	}
	return func(name string) string { return env[name] }
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, f := range every {
		c, err := LoadConfig(f, with())
		if err != nil {
			t.Fatalf("LoadConfig(%s) = %v", f, err)
		}
		if c.TableName == "" || (c.SealKeyID == "") != (f == Console) || c.LogLevel != slog.LevelWarn || c.MetricsNamespace != "bindery/prod" {
			t.Errorf("LoadConfig(%s) = %+v, lacks what every function has", f, c)
		}
	}
	for _, name := range []string{"abc", strings.Repeat("a", 255), "arn:aws:dynamodb:eu-central-1:123456789012:table/abc"} {
		if _, err := LoadConfig(Sync, with("TABLE_NAME", name)); err != nil {
			t.Errorf("Load of a table %q = %v", name, err)
		}
	}
	c, _ := LoadConfig(Admin, with())
	if got, want := c.RedirectURI(), "https://api.example.com/oauth/callback"; got != want {
		t.Errorf("RedirectURI() = %q, want %q", got, want)
	}
	if c.LoginBaseURL != DefaultLoginBaseURL || c.GraphBaseURL != DefaultGraphBaseURL || c.Retention != 400*24*time.Hour {
		t.Errorf("LoadConfig(admin) = %+v, want Microsoft's addresses and 400 days", c)
	}
	if c, _ := LoadConfig(Deactivate, with()); c.ClientSecretName != "" || c.StateKeySecret != "" || c.GraphBaseURL != "" {
		t.Errorf("LoadConfig(deactivate) = %+v, holds what it has no use for", c)
	}
	if c, _ := LoadConfig(LoadFiles, with()); c.SecretPrefix != "" || c.KMSKeyID != "" || c.ClientID != "" || c.LoginBaseURL != "" || c.GraphBaseURL != "" {
		t.Errorf("LoadConfig(load) = %+v, holds what it has no use for", c)
	}
}

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		function Function
		changes  []string
		want     []string // start of each fault
	}{
		{"nothing set", Schedule, []string{"TABLE_NAME", "", "QUEUE_URL", " ", "SWEEP_QUEUE_URL", ""}, []string{"TABLE_NAME: is not set", "QUEUE_URL: is not set", "SWEEP_QUEUE_URL: is not set"}},
		{"all wrong at once", Admin, []string{"QUEUE_URL", "ftp://x/y", "SECRET_PREFIX", "bindery", "RETENTION_DAYS", "3", "LOG_LEVEL", "loud"}, []string{"QUEUE_URL: must", "SECRET_PREFIX: must", "RETENTION_DAYS: must", "LOG_LEVEL: must"}},
		{"unknown function", "sink", nil, []string{"no such function"}},
		{"plain http elsewhere", Admin, []string{"PUBLIC_BASE_URL", "http://api.example.com"}, []string{"PUBLIC_BASE_URL: must"}},
		{"credentials in an address", Admin, []string{"PUBLIC_BASE_URL", "https://u:p@api.example.com"}, []string{"PUBLIC_BASE_URL: must"}},
		{"other Microsoft", Sync, []string{"GRAPH_BASE_URL", "http://127.0.0.1:8365/v1.0", "LOGIN_BASE_URL", "http://127.0.0.1:8365"}, []string{"LOGIN_BASE_URL: names another", "GRAPH_BASE_URL: names another"}},
		{"other Microsoft, schedule", Schedule, []string{"LOGIN_BASE_URL", "https://login.example.com"}, []string{"LOGIN_BASE_URL: names another"}},
		{"neither true nor false", Sync, []string{"ALLOW_CUSTOM_ENDPOINTS", "yes"}, []string{"ALLOW_CUSTOM_ENDPOINTS: must"}},
		{"namespace", Sync, []string{"METRICS_NAMESPACE", "a b"}, []string{"METRICS_NAMESPACE: must"}},
		{"too short", Admin, []string{"TABLE_NAME", "ab", "UPLOAD_BUCKET", "ab", "SECRET_PREFIX", "/"}, []string{"TABLE_NAME: must", "SECRET_PREFIX: must", "UPLOAD_BUCKET: must"}},
		{"too long", Admin, []string{"TABLE_NAME", strings.Repeat("a", 256), "UPLOAD_BUCKET", strings.Repeat("a", 64), "METRICS_NAMESPACE", strings.Repeat("a", 256), "PASSWORD_KEY_SECRET", strings.Repeat("a", 513)},
			[]string{"TABLE_NAME: must", "PASSWORD_KEY_SECRET: must", "UPLOAD_BUCKET: must", "METRICS_NAMESPACE: must"}},
		{"too short behind an ARN", Sync, []string{"TABLE_NAME", "arn:aws:dynamodb:eu-central-1:123456789012:table/ab"}, []string{"TABLE_NAME: must"}},
	}
	for _, tt := range tests {
		_, err := LoadConfig(tt.function, with(tt.changes...))
		fault, ok := errors.AsType[*ConfigError](err)
		if !ok {
			t.Errorf("%s: Load = %v, want a *ConfigError", tt.name, err)
			continue
		}
		if !slices.EqualFunc(fault.Faults, tt.want, strings.HasPrefix) {
			t.Errorf("%s: Load faults = %q, want %q", tt.name, fault.Faults, tt.want)
		}
	}
}

// A secret that was put where its name belongs must not be repeated.
func TestLoadKeepsValuesToItself(t *testing.T) {
	t.Parallel()
	const secret = "Xy8~Q~not a name but the secret itself"
	_, err := LoadConfig(Admin, with("M365_CLIENT_SECRET_NAME", secret))
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("Load = %v, want a fault that does not repeat the value", err)
	}
}

func TestLoadCustomEndpoints(t *testing.T) {
	t.Parallel()
	c, err := LoadConfig(Sync, with("ALLOW_CUSTOM_ENDPOINTS", "true", "GRAPH_BASE_URL", "http://127.0.0.1:8365/v1.0/", "LOGIN_BASE_URL", "http://localhost:8365"))
	if err != nil {
		t.Fatal(err)
	}
	if c.GraphBaseURL != "http://127.0.0.1:8365/v1.0" || c.LoginBaseURL != "http://localhost:8365" {
		t.Errorf("Load = %q, %q", c.GraphBaseURL, c.LoginBaseURL)
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	if got := Variables("sink"); got != nil {
		t.Errorf("Variables(unknown) = %v, want none", got)
	}
	for _, f := range every {
		got := Variables(f)
		if !slices.IsSorted(got) || !slices.Contains(got, "TABLE_NAME") {
			t.Errorf("Variables(%s) = %v, want sorted names", f, got)
		}
	}
	if slices.Contains(Variables(Deactivate), "M365_CLIENT_SECRET_NAME") {
		t.Error("Variables(deactivate) has the client secret's name, which it has no use for")
	}
}
