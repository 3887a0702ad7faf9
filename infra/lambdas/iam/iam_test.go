package iam

import (
	"fmt"
	"strings"
	"testing"
)

type m = map[string]any

const table = "arn:aws:dynamodb:eu-central-1:123456789012:table/bindery-Table"

func role(t *testing.T, statements ...any) *Role {
	t.Helper()
	r, err := NewRole(statements)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each row is a right and a request that it covers or just misses.
func TestAllow(t *testing.T) {
	secret := "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
	via := m{"StringEquals": m{"kms:ViaService": []any{"dynamodb.eu-central-1.amazonaws.com", "s3.eu-central-1.amazonaws.com"}}}
	keys := m{"ForAllValues:StringLike": m{"dynamodb:LeadingKeys": []any{"conn#*", "state#*"}}}
	ctx := func(key string, values ...string) map[string][]string { return map[string][]string{key: values} }
	for _, tt := range []struct {
		name             string
		action, resource any
		condition        any
		ask              Request
		want             bool
	}{
		{"exact", "dynamodb:PutItem", table, nil, Request{"dynamodb:PutItem", table, nil}, true},
		{"action in another case", "dynamodb:putitem", table, nil, Request{"dynamodb:PutItem", table, nil}, true},
		{"another action", "dynamodb:PutItem", table, nil, Request{"dynamodb:UpdateItem", table, nil}, false},
		{"an action of another service", "dynamodb:*", table, nil, Request{"dynamodbstreams:Get", table, nil}, false},
		{"one of several", []any{"a:B", "kms:GenerateDataKey*"}, []any{"x", "y"}, nil, Request{"kms:GenerateDataKeyWithoutPlaintext", "y", nil}, true},
		{"the table is not its index", "dynamodb:Query", table, nil, Request{"dynamodb:Query", table + "/index/index1", nil}, false},
		{"the indexes", "dynamodb:Query", table + "/index/*", nil, Request{"dynamodb:Query", table + "/index/index1", nil}, true},
		{"the indexes are not the table", "dynamodb:Query", table + "/index/*", nil, Request{"dynamodb:Query", table, nil}, false},
		{"resource in another case", "dynamodb:Query", table, nil, Request{"dynamodb:Query", strings.ToUpper(table), nil}, false},
		{"a longer name", "s3:PutObject", "arn:aws:s3:::heads", nil, Request{"s3:PutObject", "arn:aws:s3:::heads2", nil}, false},
		{"six letters", "secretsmanager:GetSecretValue", secret + "app-??????", nil, Request{"secretsmanager:GetSecretValue", secret + "app-AbCdEf", nil}, true},
		{"seven letters", "secretsmanager:GetSecretValue", secret + "app-??????", nil, Request{"secretsmanager:GetSecretValue", secret + "app-AbCdEfG", nil}, false},
		{"another's secret", "secretsmanager:GetSecretValue", secret + "bindery/*", nil, Request{"secretsmanager:GetSecretValue", secret + "binderyx", nil}, false},
		{"through a service", "kms:Decrypt", "k", via, Request{"kms:Decrypt", "k", ctx("kms:viaservice", "dynamodb.eu-central-1.amazonaws.com")}, true},
		{"through another service", "kms:Decrypt", "k", via, Request{"kms:Decrypt", "k", ctx("kms:ViaService", "sqs.eu-central-1.amazonaws.com")}, false},
		{"through none", "kms:Decrypt", "k", via, Request{"kms:Decrypt", "k", nil}, false},
		{"keys", "dynamodb:GetItem", table, keys, Request{"dynamodb:GetItem", table, ctx("dynamodb:LeadingKeys", "conn#a")}, true},
		{"keys, all of them", "dynamodb:GetItem", table, keys, Request{"dynamodb:GetItem", table, ctx("dynamodb:LeadingKeys", "conn#a", "user#a")}, false},
		{"keys, in another case", "dynamodb:GetItem", table, keys, Request{"dynamodb:GetItem", table, ctx("dynamodb:LeadingKeys", "CONN#a")}, false},
		{"keys that are not said", "dynamodb:Scan", table, keys, Request{"dynamodb:Scan", table, nil}, true},
		{"any of", "a:B", "*", m{"ForAnyValue:StringEquals": m{"k": "x"}}, Request{"a:B", "r", ctx("k", "y", "x")}, true},
		{"any of none", "a:B", "*", m{"ForAnyValue:StringEquals": m{"k": "x"}}, Request{"a:B", "r", nil}, false},
		{"not equal", "a:B", "*", m{"StringNotEquals": m{"k": []any{"x", "y"}}}, Request{"a:B", "r", ctx("k", "y")}, false},
		{"not equal to what is not there", "a:B", "*", m{"StringNotEquals": m{"k": "x"}}, Request{"a:B", "r", nil}, true},
		{"if it exists", "a:B", "*", m{"StringEqualsIfExists": m{"k": "x"}}, Request{"a:B", "r", nil}, true},
		{"if it exists, and is another", "a:B", "*", m{"StringEqualsIfExists": m{"k": "x"}}, Request{"a:B", "r", ctx("k", "y")}, false},
		{"both conditions", "a:B", "*", m{"StringEquals": m{"k": "x", "l": "y"}}, Request{"a:B", "r", ctx("k", "x")}, false},
		{"is there", "a:B", "*", m{"Null": m{"k": "false"}}, Request{"a:B", "r", nil}, false},
		{"an ARN's parts", "a:B", "*", m{"ArnLike": m{"aws:SourceArn": "arn:aws:events:*:1:rule/*"}}, Request{"a:B", "r", ctx("aws:SourceArn", "arn:aws:events:eu-central-1:1:rule/a:b")}, true},
		{"an ARN's parts, one more", "a:B", "*", m{"ArnLike": m{"aws:SourceArn": "arn:aws:events:*:rule/*"}}, Request{"a:B", "r", ctx("aws:SourceArn", "arn:aws:events:eu-central-1:1:rule/a")}, false},
	} {
		s := m{"Sid": "S", "Effect": "Allow", "Action": tt.action, "Resource": tt.resource}
		if tt.condition != nil {
			s["Condition"] = tt.condition
		}
		if err := role(t, s).Allow(tt.ask); (err == nil) != tt.want {
			t.Errorf("%s: %v: %v, want allowed = %v", tt.name, tt.ask, err, tt.want)
		}
	}
}

func TestDenyWins(t *testing.T) {
	r := role(t,
		m{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"},
		m{"Sid": "Heads", "Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::heads/*"},
	)
	if err := r.Allow(Request{Action: "s3:DeleteObject", Resource: "arn:aws:s3:::heads/a"}); err == nil || !strings.Contains(err.Error(), "explicit deny") {
		t.Errorf("a denied call: %v", err)
	}
	if err := r.Allow(Request{Action: "s3:DeleteObject", Resource: "arn:aws:s3:::others/a"}); err != nil {
		t.Errorf("the neighbour: %v", err)
	}
	if got := fmt.Sprint(r.Denied()); !strings.Contains(got, "s3:DeleteObject on arn:aws:s3:::heads/a") {
		t.Errorf("Denied = %s", got)
	}
}

func TestUnused(t *testing.T) {
	r := role(t, m{"Sid": "S", "Effect": "Allow", "Action": []any{"a:B", "a:C"}, "Resource": []any{"x", "y"}})
	if err := r.Allow(Request{Action: "a:B", Resource: "y"}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Unused()); got != "[S: a:B on x S: a:C on x S: a:C on y]" {
		t.Errorf("Unused = %s", got)
	}
}

// What this package does not know is refused when it is read.
func TestUnknown(t *testing.T) {
	for _, bad := range []any{
		"text",
		m{"Effect": "Allow", "Action": "a"},
		m{"Action": "a", "Resource": "r"},
		m{"Effect": "Perhaps", "Action": "a", "Resource": "r"},
		m{"Effect": "Allow", "NotAction": "a", "Resource": "r"},
		m{"Effect": "Allow", "Action": "a", "Resource": "r", "Condition": m{"DateLessThan": m{"k": "1"}}},
		m{"Effect": "Allow", "Action": "a", "Resource": "r", "Condition": m{"ForSome:StringLike": m{"k": "1"}}},
	} {
		if _, err := NewRole([]any{bad}); err == nil {
			t.Errorf("NewRole(%v) succeeded", bad)
		}
	}
}
