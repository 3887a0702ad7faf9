package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"bindery/shared/clock"
	"bindery/shared/platform/ownfile"
)

// tool is what each command works with.
type tool struct {
	root   string // of the repository
	getenv func(string) string
	out    io.Writer
	http   *http.Client
	// run starts a program with an input and returns its output.
	run func(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error)
	// stream starts a program that talks to the person itself.
	stream func(ctx context.Context, name string, args ...string) error
	now    func() time.Time
	wait   func(ctx context.Context, d time.Duration) error
}

// errFailed says that what was found has been told already.
var errFailed = errors.New("failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
	t := &tool{
		root: root, getenv: os.Getenv, out: os.Stdout, http: &http.Client{Timeout: 35 * time.Second, CheckRedirect: stay},
		run: run, stream: stream, now: time.Now, wait: clock.Sleep,
	}
	if err := t.command(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, errFailed) {
			fmt.Fprintln(os.Stderr, "deploy:", err)
		}
		os.Exit(1)
	}
}

// stay follows no redirect: what an address answers itself is what counts.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (t *tool) command(ctx context.Context, args []string) error {
	commands := map[string]func(context.Context, []string) error{
		"stack": t.stack, "entra-app": t.entraApp, "token": t.token, "smoke": t.smoke,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return errors.New("say which: stack, entra-app, token or smoke (the Makefile's deploy, entra-app, token and smoke call them)")
	}
	return commands[args[0]](ctx, args[1:])
}

func run(ctx context.Context, stdin []byte, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, &commandError{name, args, complaint.String(), err}
	}
	return out.Bytes(), nil
}

// commandError is a program that failed, with what it said.
type commandError struct {
	name string
	args []string
	said string
	err  error
}

func (e *commandError) Error() string {
	what := e.name
	for _, a := range e.args[:min(2, len(e.args))] {
		what += " " + a
	}
	return fmt.Sprintf("%s: %v: %s", what, e.err, bytes.TrimSpace([]byte(e.said)))
}

func (e *commandError) Unwrap() error { return e.err }

func stream(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// local is a file of .local/, which only its owner may read.
func (t *tool) local(name string) string { return filepath.Join(t.root, ".local", name) }

func (t *tool) keep(name string, data []byte) error {
	if err := ownfile.Folder(filepath.Dir(t.local(name))); err != nil {
		return err
	}
	return ownfile.Write(t.local(name), data)
}

func (t *tool) say(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }
