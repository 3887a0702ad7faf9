package lambdas

import (
	"strings"
	"testing"

	"bindery/infra/template"
	"bindery/shared/boot/app"
)

// offline is a world of the template whose engines are not there: nothing can
// be made, everything has a name.
func offline(t *testing.T) *World {
	t.Helper()
	tmpl, err := template.Read("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{suffix: "1A2B3C4D", apiID: "a1b2c3d4e5", address: "http://127.0.0.1:9", ids: map[string]string{}}
	for name := range tmpl.Of("AWS::KMS::Key") {
		s.ids[name] = "key-of-" + name
	}
	for name := range tmpl.Of("AWS::SecretsManager::Secret") {
		s.ids[name] = "arn:aws:secretsmanager:" + Region + ":" + Account + ":secret:" + name + "-AbCdEf"
	}
	given := map[string]string{"EntraClientId": "5c0f2f6e-6a0b-4f7e-8a53-0a9a5b8f3f10", "EntraClientSecretName": "client-secret", "JwtIssuer": "https://issuer.example", "JwtAudience": "bindery"}
	s.Stack = &template.Stack{Template: tmpl, Given: pseudo(given), Physical: s.physical}
	return &World{stack: s, samples: samples{}, Secrets: &Secrets{}, functions: map[string]*function{}}
}

// Each function's environment passes the checks of package app, and its role can be read.
func TestFunctions(t *testing.T) {
	w := offline(t)
	roles, err := w.stack.Made("AWS::IAM::Role")
	if err != nil {
		t.Fatal(err)
	}
	functions, err := w.stack.Made("AWS::Serverless::Function")
	if err != nil || len(functions) < 5 {
		t.Fatalf("%d functions, %v", len(functions), err)
	}
	for name, p := range functions {
		raw := w.stack.Of("AWS::Serverless::Function")[name]
		env, err := w.stack.Environment(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		folder := strings.TrimSuffix(strings.TrimPrefix(p["CodeUri"].(string), ".build/"), "/")
		if _, err := app.LoadConfig(app.Function(folder), func(name string) string { return env[name] }); err != nil {
			t.Error(err)
		}
		if _, err := roleOf(roles[template.At(raw, "Role", "Fn::GetAtt", 0).(string)]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAbstract(t *testing.T) {
	w := offline(t)
	table, _ := w.stack.physical("Table", "Arn")
	key, _ := w.stack.physical("Key", "Arn")
	if got := w.stack.abstract("Query on " + table + "/index/a by " + key); got != "Query on ${Table.Arn}/index/a by ${Key.Arn}" {
		t.Error(got)
	}
	if _, ok := w.stack.physical("Nothing", ""); ok {
		t.Error("a resource that is not there has a name")
	}
	if _, ok := w.stack.physical("Table", "Nothing"); ok {
		t.Error("a table has every attribute")
	}
}
