package docs

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"mvdan.cc/sh/v3/syntax"
)

// inputs are the operations that documents call by the aws CLI, which nobody runs
// here. The CLI is made of the same model as the SDK: an option is a member of the
// operation's input, spelled with dashes.
var inputs = map[string]any{
	"dynamodb restore-table-to-point-in-time": dynamodb.RestoreTableToPointInTimeInput{},
	"dynamodb wait table-exists":              dynamodb.DescribeTableInput{},
	"dynamodb update-time-to-live":            dynamodb.UpdateTimeToLiveInput{},
	"dynamodb update-continuous-backups":      dynamodb.UpdateContinuousBackupsInput{},
	"dynamodb update-table":                   dynamodb.UpdateTableInput{},
	"dynamodb update-item":                    dynamodb.UpdateItemInput{},
	"dynamodb scan":                           dynamodb.ScanInput{},
	"dynamodb delete-item":                    dynamodb.DeleteItemInput{},
	"secretsmanager create-secret":            secretsmanager.CreateSecretInput{},
}

// Calls of the aws CLI have the options, and members within, that AWS takes.
func TestCallsOfTheAWSCLI(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range documents(t) {
		for _, b := range blocksOf(t, d) {
			if b.Language != "sh" {
				continue
			}
			parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(b.Text), b.Document)
			if err != nil {
				t.Errorf("%s: %v", b.Where(), err)
				continue
			}
			syntax.Walk(parsed, func(n syntax.Node) bool {
				if call, ok := n.(*syntax.CallExpr); ok && len(call.Args) > 0 && call.Args[0].Lit() == "aws" {
					seen[checkAWS(t, b.Where(), call.Args[1:])] = true
				}
				return true
			})
		}
	}
	for call := range inputs {
		if !seen[call] {
			t.Errorf("no document calls aws %s", call)
		}
	}
	expiry := regexp.MustCompile(`TimeToLiveSpecification: {AttributeName: (\w+),`).FindStringSubmatch(file(t, "template.yaml"))
	if expiry == nil || !strings.Contains(file(t, "infra/OPERATIONS.md"), "--time-to-live-specification AttributeName="+expiry[1]+",Enabled=true") {
		t.Errorf("a restored table would expire by another attribute than template.yaml's %q", expiry)
	}
}

// checkAWS checks one call and returns which operation it is.
func checkAWS(t *testing.T, where string, args []*syntax.Word) string {
	t.Helper()
	var operation []string
	for len(args) > 0 && !strings.HasPrefix(text(args[0]), "--") {
		operation, args = append(operation, text(args[0])), args[1:]
	}
	call := strings.Join(operation, " ")
	input, known := inputs[call]
	if !known {
		t.Errorf("%s: nobody knows aws %s: add it to inputs", where, call)
		return call
	}
	var member reflect.Type
	for _, arg := range args {
		word := text(arg)
		if option, ok := strings.CutPrefix(word, "--"); ok {
			if member = memberOf(reflect.TypeOf(input), option); member == nil {
				t.Errorf("%s: aws %s takes no --%s", where, call, option)
			}
			continue
		}
		if member == nil || member.Kind() != reflect.Struct || member.PkgPath() == "time" {
			continue
		}
		for pair := range strings.SplitSeq(word, ",") {
			if name, _, ok := strings.Cut(pair, "="); ok && memberOf(member, name) == nil {
				t.Errorf("%s: aws %s: %s has no %s", where, call, member.Name(), name)
			}
		}
	}
	return call
}

// memberOf is the type of a member, whatever its letters' case and dashes; nil:
// there is none.
func memberOf(input reflect.Type, name string) reflect.Type {
	f, ok := input.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, strings.ReplaceAll(name, "-", "")) })
	if !ok {
		return nil
	}
	if f.Type.Kind() == reflect.Pointer {
		return f.Type.Elem()
	}
	return f.Type
}

// text is a word without its quotation marks; what a variable gives is left out.
func text(w *syntax.Word) string {
	var b strings.Builder
	for _, part := range w.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			for _, inner := range p.Parts {
				if lit, ok := inner.(*syntax.Lit); ok {
					b.WriteString(lit.Value)
				}
			}
		}
	}
	return b.String()
}
