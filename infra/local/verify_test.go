package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bindery/infra/stack"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// An export of a local stack is verified by the command, with the stack's key,
// while the stack is closed.
func TestVerifyCommand(t *testing.T) {
	dir := t.TempDir()
	local, err := stack.Open(t.Context(), stack.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	// An act of three hours ago, so that its hour is linked.
	past := store.New(local.Drivers.Table, store.Options{Now: func() time.Time { return time.Now().Add(-3 * time.Hour) }})
	for _, kind := range []directory.AuditKind{directory.AuditBind, directory.AuditRelease} {
		if err := past.Audit.RecordAuditEvent(t.Context(), directory.AuditEvent{Kind: kind, By: "ada"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := local.Core.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := local.Client().Export(t.Context(), "/v1/activity?effect=bind")
	if err != nil {
		t.Fatal(err)
	}
	more, err := local.Client().Export(t.Context(), "/v1/activity?effect=release")
	if err != nil {
		t.Fatal(err)
	}
	entries = append(entries, more...)
	links, err := local.Client().Export(t.Context(), "/v1/activity/links?chain=acts")
	if err != nil {
		t.Fatal(err)
	}
	if err := local.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, chain := write("entries.jsonl", entries), write("links.jsonl", links)
	var out bytes.Buffer
	if err := verify(t.Context(), []string{"-state", dir, good, chain}, &out); err != nil || !strings.Contains(out.String(), "2 entries and 2 links; seals were checked; 2 heads; 0 entries not proved yet, 2 only since they were linked, 0 expired; 0 differences") {
		t.Fatalf("verify = %v, %s", err, out.String())
	}
	head := strings.TrimPrefix(strings.Split(out.String(), "\n")[0], "head\t")
	forged := write("forged.jsonl", bytes.Replace(entries, []byte("ada"), []byte("eve"), 1))
	other, err := stack.Open(context.WithoutCancel(t.Context()), stack.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, c := range []struct {
		what string
		args []string
		want error
		says string
	}{
		{"with its head", []string{good, chain, head}, nil, "0 differences"},
		{"with another head", []string{good, chain, strings.Replace(head, ":2:", ":1:", 1)}, errDifferences, "head-differs"},
		{"forged", []string{forged, chain}, errDifferences, "changed\tact_"},
		{"with no chain", []string{good}, nil, ""},
		{"with no head", []string{good, chain, "acts:x:y"}, nil, ""},
		{"with no stack", []string{"-state", t.TempDir(), good, chain}, nil, ""},
	} {
		out.Reset()
		err := verify(t.Context(), c.args, &out)
		if c.says == "" {
			if err == nil || errors.Is(err, errDifferences) {
				t.Errorf("verify %s = %v, want that it cannot be done", c.what, err)
			}
			continue
		}
		if !errors.Is(err, c.want) || !strings.Contains(out.String(), c.says) {
			t.Errorf("verify %s = %v, %s; want %v, %q", c.what, err, out.String(), c.want, c.says)
		}
	}
}
