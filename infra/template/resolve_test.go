package template

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestStack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "template.yaml")
	text := `
Parameters:
  Given: {Type: String, Default: default}
  Empty: {Type: String, Default: ""}
  Count: {Type: Number, Default: 7}
Conditions:
  IsGiven: !Equals [!Ref Given, x]
  IsEmpty: !Equals [!Ref Empty, ""]
  Both: !And [!Condition IsGiven, !Condition IsEmpty]
  Either: !Or [!Not [!Condition IsGiven], !Condition IsEmpty]
  Neither: !Not [!Condition Either]
Globals: {Function: {Environment: {Variables: {A: global, B: !Ref Count}}}}
Resources:
  Made: {Type: T, Condition: Both, Properties: {Name: !Ref Given}}
  NotMade: {Type: T, Condition: Neither, Properties: {}}
  V:
    Type: V
    Properties:
      ref: !Ref Other
      att: !GetAtt Other.Arn
      sub: !Sub "a-${Given}-${Other.Arn}-${!Literal}"
      map: !Sub ["${Mine}/${Given}", {Mine: !Ref Count}]
      if: !If [Both, [!Ref Given], other]
      left: [1, !If [IsGiven, !Ref AWS::NoValue, b], c]
      gone: !If [IsGiven, !Ref AWS::NoValue, b]
      join: !Join ["-", [a, !Ref Given]]
      pick: !Select [1, !Split ["/", "a/b/c"]]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tmpl, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &Stack{Template: tmpl, Given: map[string]string{"Given": "x"}, Physical: func(resource, attribute string) (string, bool) {
		return resource + "!" + attribute, resource == "Other"
	}}
	made, err := s.Made("V")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ref": "Other!", "att": "Other!Arn", "sub": "a-x-Other!Arn-${Literal}", "map": "7/x", "if": "[x]",
		"left": "[1 c]", "gone": "<nil>", "join": "a-x", "pick": "b",
	} {
		if got := fmt.Sprint(made["V"][name]); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if made, err = s.Made("T"); err != nil || len(made) != 1 || made["Made"]["Name"] != "x" {
		t.Errorf("Made = %v, %v", made, err)
	}
	env, err := s.Environment(map[string]any{"Environment": map[string]any{"Variables": map[string]any{"A": "own"}}})
	if err != nil || fmt.Sprint(env) != "map[A:own B:7]" {
		t.Errorf("Environment = %v, %v", env, err)
	}
	for _, bad := range []any{
		map[string]any{"Ref": "Nothing"}, map[string]any{"Fn::GetAtt": []any{"Nothing", "Arn"}}, map[string]any{"Fn::Sub": "${Nothing}"},
		map[string]any{"Fn::ImportValue": "x"}, map[string]any{"Fn::If": []any{"Unknown", 1, 2}}, map[string]any{"Fn::Select": []any{9, []any{1}}},
	} {
		if got, err := s.Value(bad); err == nil {
			t.Errorf("Value(%v) = %v, want an error", bad, got)
		}
	}
}
