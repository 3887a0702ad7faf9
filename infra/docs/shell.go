package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// Command stands for a program: it gets the words behind its name, and runs in
// the shell's folder. Its error becomes exit code 1, and its text is shown.
type Command func(ctx context.Context, shell interp.HandlerContext, args []string) error

// Shell runs commands of documents without any program but those of a plain
// Unix: curl calls Handler, jq is Go's, and Commands replace others.
type Shell struct {
	Dir string // where the commands run
	// Handler takes the calls of curl, whatever their host.
	Handler  http.Handler
	Commands map[string]Command

	runner *interp.Runner
	out    output // what the block under way printed
}

// output is written to by the commands of a pipeline at once.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// take returns what was written, and forgets it.
func (o *output) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text.String()
	o.text.Reset()
	return text
}

// Run runs a block and returns what it printed, also when it failed. Variables,
// functions and files of earlier blocks are there.
func (s *Shell) Run(ctx context.Context, b *Block) (string, error) {
	if s.runner == nil {
		if err := s.open(); err != nil {
			return "", err
		}
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(b.Text), b.Document)
	if err != nil {
		return "", err
	}
	err = s.runner.Run(ctx, file)
	return s.out.take(), err
}

func (s *Shell) open() error {
	programs := func(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
		return func(ctx context.Context, args []string) error {
			run := s.command(args[0])
			if run == nil {
				return next(ctx, args)
			}
			shell := interp.HandlerCtx(ctx)
			if err := run(ctx, shell, args[1:]); err != nil {
				fmt.Fprintf(shell.Stderr, "%s: %v\n", args[0], err)
				return interp.ExitStatus(1)
			}
			return nil
		}
	}
	var err error
	s.runner, err = interp.New(interp.Dir(s.Dir), interp.Env(expand.ListEnviron("PATH="+os.Getenv("PATH"), "HOME="+s.Dir)),
		interp.StdIO(nil, &s.out, &s.out), interp.ExecHandlers(programs), interp.Params("-e", "-u", "-o", "pipefail"))
	return err
}

func (s *Shell) command(name string) Command {
	if c := s.Commands[name]; c != nil {
		return c
	}
	switch name {
	case "curl":
		return s.curl
	case "jq":
		return jq
	}
	return nil
}

// call is what a curl command asks for.
type call struct {
	method, url string
	header      http.Header
	body        io.Reader // nil: none
	output      string    // file for the body; empty: standard output
	dump        string    // file for the headers
	include     bool      // headers before the body
}

// curl is as much of curl as the documents use; any other option is refused.
func (s *Shell) curl(ctx context.Context, shell interp.HandlerContext, args []string) error {
	c, err := parseCurl(shell, args)
	if err != nil {
		return err
	}
	req := httptest.NewRequestWithContext(ctx, c.method, c.url, c.body)
	req.Header = c.header
	rec := httptest.NewRecorder()
	s.Handler.ServeHTTP(rec, req)
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", rec.Code, http.StatusText(rec.Code))
	if err := rec.Header().Write(&head); err != nil {
		return err
	}
	head.WriteString("\r\n")
	if c.dump != "" {
		if err := os.WriteFile(filepath.Join(shell.Dir, c.dump), head.Bytes(), 0o600); err != nil {
			return err
		}
	}
	body := rec.Body.Bytes()
	if c.include {
		body = append(head.Bytes(), body...)
	}
	if c.output != "" {
		return os.WriteFile(filepath.Join(shell.Dir, c.output), body, 0o600)
	}
	_, _ = shell.Stdout.Write(body) // who reads only the first lines has left
	return nil
}

func parseCurl(shell interp.HandlerContext, args []string) (*call, error) {
	c := &call{header: http.Header{}}
	for len(args) > 0 {
		option := args[0]
		args = args[1:]
		switch option {
		case "-s":
			continue
		case "-i":
			c.include = true
			continue
		}
		if !strings.HasPrefix(option, "-") {
			if c.url != "" {
				return nil, fmt.Errorf("two addresses: %s and %s", c.url, option)
			}
			c.url = option
			continue
		}
		if len(args) == 0 {
			return nil, fmt.Errorf("%s needs a value", option)
		}
		value := args[0]
		args = args[1:]
		switch option {
		case "-X":
			c.method = value
		case "-H":
			name, text, ok := strings.Cut(value, ":")
			if !ok {
				return nil, fmt.Errorf("the header %q has no colon", value)
			}
			c.header.Add(name, strings.TrimSpace(text))
		case "-o":
			c.output = value
		case "-D":
			c.dump = value
		case "-d", "--data-binary":
			data, err := curlData(shell, value)
			if err != nil {
				return nil, err
			}
			c.body = bytes.NewReader(data)
		default:
			return nil, fmt.Errorf("the documents' curl knows no option %s", option)
		}
	}
	if c.url == "" {
		return nil, errors.New("no address")
	}
	if c.body != nil && c.header.Get("Content-Type") == "" {
		c.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	switch {
	case c.method != "":
	case c.body != nil:
		c.method = http.MethodPost
	default:
		c.method = http.MethodGet
	}
	return c, nil
}

// curlData is what an option for data means: a text, or @ and a file.
func curlData(shell interp.HandlerContext, value string) ([]byte, error) {
	name, isFile := strings.CutPrefix(value, "@")
	switch {
	case !isFile:
		return []byte(value), nil
	case name == "-":
		return io.ReadAll(shell.Stdin)
	}
	return os.ReadFile(filepath.Join(shell.Dir, name))
}

// jq applies a filter to the JSON values of a file or of standard input.
func jq(_ context.Context, shell interp.HandlerContext, args []string) error {
	raw, compact := false, false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-r":
			raw = true
		case "-c":
			compact = true
		default:
			return fmt.Errorf("the documents' jq knows no option %s", args[0])
		}
		args = args[1:]
	}
	filter, in := ".", shell.Stdin
	if len(args) > 0 {
		filter = args[0]
	}
	switch len(args) {
	case 0, 1:
	case 2:
		file, err := os.Open(filepath.Join(shell.Dir, args[1]))
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	default:
		return fmt.Errorf("%d words behind the filter, want a file at most", len(args)-1)
	}
	query, err := gojq.Parse(filter)
	if err != nil {
		return err
	}
	values := json.NewDecoder(in)
	for {
		var v any
		if err := values.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the input is no JSON: %w", err)
		}
		if err := show(shell.Stdout, query.Run(v), raw, compact); err != nil {
			return err
		}
	}
}

// show writes the results of a filter.
func show(out io.Writer, results gojq.Iter, raw, compact bool) error {
	for {
		v, ok := results.Next()
		if !ok {
			return nil
		}
		if err, failed := v.(error); failed {
			return err
		}
		text, isText := v.(string)
		if !raw || !isText {
			if raw && v == nil {
				return errors.New("-r of null: there is no such member")
			}
			var line []byte
			var err error
			if line, err = gojq.Marshal(v); err != nil {
				return err
			}
			if !compact {
				var indented bytes.Buffer
				if err := json.Indent(&indented, line, "", "  "); err != nil {
					return err
				}
				line = indented.Bytes()
			}
			text = string(line)
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
	}
}
