package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// aws calls the aws CLI and reads its answer into out; in, unless nil, are the
// parameters of the call, given by its standard input.
func (t *tool) aws(ctx context.Context, in, out any, args ...string) error {
	args = append(args, "--output", "json")
	var stdin []byte
	if in != nil {
		var err error
		if stdin, err = json.Marshal(in); err != nil {
			return err
		}
		args = append(args, "--cli-input-json", "file:///dev/stdin")
	}
	raw, err := t.run(ctx, stdin, "aws", args...)
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the aws CLI is missing: install it (https://aws.amazon.com/cli) and sign in: %w", err)
	}
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("aws %s %s answered something else than JSON: %w", args[0], args[1], err)
	}
	return nil
}

// said tells whether the aws CLI failed with one of AWS's codes.
func said(err error, codes ...string) bool {
	failed, ok := errors.AsType[*commandError](err)
	for _, code := range codes {
		if ok && strings.Contains(failed.said, code) {
			return true
		}
	}
	return false
}

// firstStack is the stack's name in samconfig.toml.
const firstStack = "bindery"

// stackName is the stack's, as samconfig.toml has it unless STACK says another.
func (t *tool) stackName() string {
	if s := t.getenv("STACK"); s != "" {
		return s
	}
	return firstStack
}

// ofStack names a file of .local/ that belongs to one stack: another stack beside
// the first one has an app, parameters and tokens of its own.
func (t *tool) ofStack(name string) string {
	if s := t.stackName(); s != firstStack {
		return s + "." + name
	}
	return name
}

// secretName is where the client secret of the stack's app lies.
func (t *tool) secretName() string {
	if s := t.stackName(); s != firstStack {
		return "bindery/" + s + "/entra-client-secret"
	}
	return "bindery/entra-client-secret"
}

// stackState is what CloudFormation tells of the stack; nil outputs without it.
type stackState struct {
	exists     bool
	parameters map[string]string
	outputs    map[string]string
}

func (t *tool) describe(ctx context.Context) (stackState, error) {
	var answer struct {
		Stacks []struct {
			StackStatus string
			Parameters  []struct{ ParameterKey, ParameterValue string }
			Outputs     []struct{ OutputKey, OutputValue string }
		}
	}
	err := t.aws(ctx, nil, &answer, "cloudformation", "describe-stacks", "--stack-name", t.stackName())
	if said(err, "does not exist") {
		return stackState{}, nil
	}
	if err != nil || len(answer.Stacks) == 0 {
		return stackState{}, err
	}
	s := stackState{exists: answer.Stacks[0].StackStatus != "REVIEW_IN_PROGRESS", parameters: map[string]string{}, outputs: map[string]string{}}
	for _, p := range answer.Stacks[0].Parameters {
		s.parameters[p.ParameterKey] = p.ParameterValue
	}
	for _, o := range answer.Stacks[0].Outputs {
		s.outputs[o.OutputKey] = o.OutputValue
	}
	return s, nil
}

// resources are the stack's physical names by their names in template.yaml.
func (t *tool) resources(ctx context.Context) (map[string]string, error) {
	var answer struct {
		StackResourceSummaries []struct{ LogicalResourceId, PhysicalResourceId string }
	}
	if err := t.aws(ctx, nil, &answer, "cloudformation", "list-stack-resources", "--stack-name", t.stackName()); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, r := range answer.StackResourceSummaries {
		names[r.LogicalResourceId] = r.PhysicalResourceId
	}
	return names, nil
}
