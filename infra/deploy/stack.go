package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"bindery/infra/template"
)

// stack deploys what make build built, with the parameters that are known. It
// asks nothing.
func (t *tool) stack(ctx context.Context, args []string) error {
	tmpl, err := template.Read(filepath.Join(t.root, "template.yaml"))
	if err != nil {
		return err
	}
	given, err := t.parameters(tmpl)
	if err != nil {
		return err
	}
	is, err := t.describe(ctx)
	if err != nil {
		return err
	}
	if !is.exists {
		if err := missing(tmpl, given); err != nil {
			return err
		}
	}
	if err := apart(is, given); err != nil {
		return err
	}
	if err := t.reserve(ctx, is, given); err != nil {
		return err
	}
	if given["Release"], err = t.release(is.parameters, given); err != nil {
		return err
	}
	command := []string{"deploy", "--template-file", filepath.Join(t.root, "template.yaml"), "--config-file", filepath.Join(t.root, "infra", "samconfig.toml"),
		"--stack-name", t.stackName(), "--parameter-overrides"}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		command = append(command, name+"="+quoted(given[name]))
	}
	if err := t.stream(ctx, "sam", append(command, args...)...); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("the AWS SAM CLI is missing: pip install aws-sam-cli, or your system's package")
		}
		return fmt.Errorf("sam deploy: %w", err)
	}
	if is, err = t.describe(ctx); err != nil {
		return err
	}
	t.say("\nThe API is at        %s", is.outputs["ApiUrl"])
	t.say("Its redirect URI is  %s   (make entra-app registers it)", is.outputs["RedirectUri"])
	if at := is.outputs["ConsoleUrl"]; at != "" {
		t.say("The console is at    %s", at)
	}
	return nil
}

// keptByAWS is how many of an account's invocations AWS lets nobody reserve, and ofScim how
// many template.yaml does for scim.
const keptByAWS, ofScim = 100, 20

// reserve has a stack that says nothing of it go without invocations of scim's own where the
// account has not enough of them: its deployment would fail.
func (t *tool) reserve(ctx context.Context, is stackState, given map[string]string) error {
	const parameter = "ScimReservedConcurrency"
	if given[parameter] != "" || is.parameters[parameter] != "" {
		return nil
	}
	var answer struct {
		AccountLimit struct{ UnreservedConcurrentExecutions int }
	}
	if err := t.aws(ctx, nil, &answer, "lambda", "get-account-settings"); err != nil {
		return fmt.Errorf("how many invocations the account has (or set %s): %w", parameter, err)
	}
	if free := answer.AccountLimit.UnreservedConcurrentExecutions; free < keptByAWS+ofScim {
		given[parameter] = "0"
		t.say("The account has %d invocations at once that nobody has reserved, and AWS keeps %d: none are kept for scim, and what is pushed to it may take them all. Ask AWS for more, then deploy with %s=%d.", free, keptByAWS, parameter, ofScim)
	}
	return nil
}

// quoted is a value as sam reads it.
func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// parameters are those of the template that the environment or the stack's file of
// .local/ names, checked as CloudFormation would.
func (t *tool) parameters(tmpl *template.Template) (map[string]string, error) {
	given := map[string]string{}
	data, err := os.ReadFile(t.local(t.ofStack("parameters")))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || tmpl.Parameters[name] == nil {
			return nil, fmt.Errorf(".local/%s: %q names no parameter of template.yaml; lines are Name=value", t.ofStack("parameters"), line)
		}
		given[name] = value
	}
	for name := range tmpl.Parameters {
		if v := t.getenv(name); v != "" {
			given[name] = v
		}
	}
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if fault := wrong(tmpl.Parameters[name], given[name]); fault != "" {
			faults = append(faults, name+" "+fault)
		}
	}
	if faults != nil {
		return nil, errors.New("the parameters cannot be taken: " + strings.Join(faults, "; "))
	}
	return given, nil
}

// wrong says what a parameter's own rules have against a value.
func wrong(parameter any, value string) string {
	if pattern, ok := template.At(parameter, "AllowedPattern").(string); ok {
		if fits, err := regexp.MatchString("^(?:"+pattern+")$", value); err != nil || !fits {
			return "must look like " + pattern
		}
	}
	if allowed, ok := template.At(parameter, "AllowedValues").([]any); ok {
		if !slices.ContainsFunc(allowed, func(v any) bool { return fmt.Sprint(v) == value }) {
			return fmt.Sprintf("must be one of %v", allowed)
		}
	}
	if template.At(parameter, "Type") == "Number" {
		n, err := strconv.Atoi(value)
		least, bounded := template.At(parameter, "MinValue").(int)
		most, capped := template.At(parameter, "MaxValue").(int)
		if err != nil || bounded && n < least || capped && n > most {
			return fmt.Sprintf("must be a number from %d to %d", least, most)
		}
	}
	return ""
}

// missing names the parameters that a new stack needs.
func missing(tmpl *template.Template, given map[string]string) error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(tmpl.Parameters)) {
		if template.At(tmpl.Parameters, name, "Default") == nil && given[name] == "" {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("a new stack needs %s: make entra-app finds out the client ID, or give it, as make deploy %s=…", strings.Join(names, ", "), names[0])
}

// apart refuses a deployment that would have two versions of admin on two tables:
// while CodeDeploy moves the calls, the one before goes on with what it has.
func apart(is stackState, given map[string]string) error {
	how, asked := given["AdminDeployment"]
	if !asked {
		how = is.parameters["AdminDeployment"]
	}
	table, asked := given["TableName"]
	if !is.exists || !asked || table == is.parameters["TableName"] || how == "" || how == "AllAtOnce" {
		return nil
	}
	return fmt.Errorf("with AdminDeployment=%s the admin of before would go on with the table of before, and take edits that are lost: give AdminDeployment=AllAtOnce with TableName, and set it back in a deployment of its own", how)
}

// release changes with the code of admin and with every parameter, so that a
// deployment of either makes a new version of it.
func (t *tool) release(has, given map[string]string) (string, error) {
	code, err := os.ReadFile(filepath.Join(t.root, ".build", "admin", "bootstrap"))
	if err != nil {
		return "", fmt.Errorf("admin is not built (make build): %w", err)
	}
	all := map[string]string{}
	maps.Copy(all, has)
	maps.Copy(all, given)
	delete(all, "Release")
	sum := sha256.New()
	sum.Write(code)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(sum, "\x00%s=%s", name, all[name])
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8]), nil
}
