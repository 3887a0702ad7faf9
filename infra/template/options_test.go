package template

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bindery/shared/directory"
)

// made are the resources that CloudFormation makes with some parameters.
func made(t *testing.T, tmpl *Template, given Values) []string {
	t.Helper()
	var names []string
	for name, r := range tmpl.Resources {
		is := true
		if condition, ok := At(r, "Condition").(string); ok {
			var err error
			if is, err = tmpl.Holds(condition, given); err != nil {
				t.Fatal(err)
			}
		}
		if is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// What is optional is not made, and so costs nothing, until a parameter asks for
// it; then all of it is made.
func TestOptions(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	own := Values{"JwtIssuer": "https://issuer.example", "JwtAudience": "bindery"}
	base := made(t, tmpl, own)
	consoles := []string{"ConsoleActsRoute", "ConsoleFunction", "ConsoleIntegration", "ConsoleLoginRoute", "ConsoleLogs", "ConsolePagesRoute", "ConsolePermission", "ConsoleRole", "ConsoleRoute"}
	pool := []string{"AdminClient", "Scopes", "UserPool", "UserPoolDomain"}
	for _, tt := range []struct {
		given       Values
		more, fewer []string
	}{
		{Values{}, pool, nil},
		{Values{"AdminEmail": "ada@corp.example"}, append(slices.Clone(pool), "FirstAdmin"), nil},
		{Values{"MachineClientScopes": "bindery/write,bindery/source.ad"}, append(slices.Clone(pool), "MachineClient"), nil},
		{with(own, "ConsoleClientId", "bindery-console"), consoles, nil},
		{Values{"ConsoleClientId": "own"}, append(append(slices.Clone(pool), consoles...), "ConsoleClient"), nil},
		{with(own, "AlarmEmail", "ops@corp.example"), []string{"AlarmTopic", "AlarmTopicPolicy"}, nil},
		{with(own, "AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:ops"), nil, nil},
		{with(own, "NoticeEmail", "ops@corp.example"), []string{"NoticeSubscription"}, nil},
		{with(own, "TableName", "bindery-restored"), nil, []string{"Table"}},
		{with(own, "AdminDeployment", "LambdaCanary10Percent5Minutes"), []string{"AdminAlias", "AdminDeploymentGroup", "AdminDeploymentRole", "AdminDeployments", "AdminShiftAlarm", "AdminVersion"}, nil},
		{with(own, "MachineClientScopes", "bindery/read"), nil, nil}, // the tokens are another issuer's
	} {
		got := made(t, tmpl, tt.given)
		want := append(slices.DeleteFunc(slices.Clone(base), func(name string) bool { return slices.Contains(tt.fewer, name) }), tt.more...)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("with %v CloudFormation makes\n %v\nwant\n %v", tt.given, got, want)
		}
	}
}

func with(v Values, name, value string) Values {
	v = maps.Clone(v)
	v[name] = value
	return v
}

// A table that was restored takes the place of the stack's own for everybody at
// once: each function's variable, each right, the output.
func TestTableName(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	aws := Values{"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012", "Table": "bindery-Table-1A2B"}
	for name, given := range map[string]Values{"bindery-Table-1A2B": aws, "bindery-restored": with(aws, "TableName", "bindery-restored")} {
		for folder, f := range functions(t, tmpl) {
			if got, err := tmpl.Resolve(environment(tmpl, f.properties)["TABLE_NAME"], given); err != nil || got != name {
				t.Errorf("%s: TABLE_NAME = %q, %v; want %s", folder, got, err, name)
			}
			role := fmt.Sprint(At(f.properties, "Role", "Fn::GetAtt", 0))
			for _, s := range list(At(tmpl.Resources, role, "Properties", "Policies", 0, "PolicyDocument", "Statement")) {
				if !strings.HasPrefix(fmt.Sprint(list(At(s, "Action"))[0]), "dynamodb:") {
					continue
				}
				for _, r := range list(At(s, "Resource")) {
					arn := "arn:aws:dynamodb:eu-central-1:123456789012:table/" + name
					if got, err := tmpl.Resolve(r, given); err != nil || got != arn && !strings.HasPrefix(got, arn+"/index/") {
						t.Errorf("%s: %v on %q, %v; want the table %s", role, At(s, "Action"), got, err, name)
					}
				}
			}
		}
		if got, err := tmpl.Resolve(At(tmpl.Outputs, "TableName", "Value"), given); err != nil || got != name {
			t.Errorf("the output TableName = %q, %v; want %s", got, err, name)
		}
	}
}

// The console's pages call the installation as they are told, and by the stack's name
// where they are not.
func TestConsoleEnvironment(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	variable := At(tmpl.Resources, "ConsoleFunction", "Properties", "Environment", "Variables", "CONSOLE_ENVIRONMENT")
	for want, given := range map[string]Values{
		"bindery":    {"AWS::StackName": "bindery"},
		"production": {"AWS::StackName": "bindery", "ConsoleEnvironment": "production"},
	} {
		if got, err := tmpl.Resolve(variable, given); err != nil || got != want {
			t.Errorf("with %v the console's installation is %q, %v; want %q", given, got, err, want)
		}
	}
}

// Each alarm goes to both topics that may be there.
func TestAlarmTopics(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for name, a := range tmpl.Of("AWS::CloudWatch::Alarm") {
		if name == "AdminShiftAlarm" {
			continue // CodeDeploy hears it
		}
		for _, when := range []string{"AlarmActions", "OKActions"} {
			for arn, given := range map[string]Values{
				"arn:made":         {"AlarmEmail": "ops@corp.example", "AlarmTopic": "arn:made"},
				"arn:own":          {"AlarmTopicArn": "arn:own"},
				"arn:made,arn:own": {"AlarmEmail": "ops@corp.example", "AlarmTopic": "arn:made", "AlarmTopicArn": "arn:own"},
				"":                 {},
			} {
				v, err := tmpl.with(given).Value(a[when])
				topics, _ := v.([]any)
				if got := texts(topics); err != nil || strings.Join(got, ",") != arn {
					t.Errorf("%s: %s = %q, %v; want %q", name, when, got, err, arn)
				}
			}
		}
	}
}

// The user pool offers the scopes that the API knows, to a client for people all
// but those of sources, and the authorizer takes its tokens.
func TestUserPool(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	var scopes []string
	for _, s := range list(tmpl.Of("AWS::Cognito::UserPoolResourceServer")["Scopes"]["Scopes"]) {
		scopes = append(scopes, "bindery/"+At(s, "ScopeName").(string))
	}
	slices.Sort(scopes)
	if want := knownScopes(t); !slices.Equal(scopes, want) {
		t.Errorf("the pool's scopes are %q, the API's %q", scopes, want)
	}
	for _, name := range []string{"AdminClient", "ConsoleClient"} {
		client := tmpl.Of("AWS::Cognito::UserPoolClient")[name]
		for _, s := range scopes {
			if got := slices.Contains(list(client["AllowedOAuthScopes"]), any(s)); got == strings.Contains(s, "/source.") {
				t.Errorf("%s may ask for %s: %v", name, s, got)
			}
		}
		if client["GenerateSecret"] != false || sorted(client["AllowedOAuthFlows"]) != `["code"]` {
			t.Errorf("%s: want a public client that uses codes", name)
		}
	}
	pool := tmpl.Of("AWS::Cognito::UserPool")["UserPool"]
	if At(pool, "AdminCreateUserConfig", "AllowAdminCreateUserOnly") != true || pool["MfaConfiguration"] != "ON" {
		t.Error("UserPool: whoever finds it may join it, or with a password alone")
	}
	jwt := At(tmpl.Resources, "Authorizer", "Properties", "JwtConfiguration")
	for _, tt := range []struct {
		given          Values
		issuer, client string
	}{
		{Values{"UserPool.ProviderURL": "https://pool", "AdminClient": "people"}, "https://pool", "people"},
		{Values{"UserPool.ProviderURL": "https://pool", "AdminClient": "people", "ConsoleClientId": "own", "ConsoleClient": "pages"}, "https://pool", "people,pages"},
		{Values{"UserPool.ProviderURL": "https://pool", "AdminClient": "people", "MachineClientScopes": "bindery/read", "MachineClient": "program"}, "https://pool", "people,program"},
		{Values{"JwtIssuer": "https://own", "JwtAudience": "bindery"}, "https://own", "bindery"},
	} {
		issuer, err := tmpl.Resolve(At(jwt, "Issuer"), tt.given)
		v, err2 := tmpl.with(tt.given).Value(At(jwt, "Audience"))
		audience, _ := v.([]any)
		if err != nil || err2 != nil || issuer != tt.issuer || strings.Join(texts(audience), ",") != tt.client {
			t.Errorf("with %v the API takes tokens of %q for %q (%v, %v)", tt.given, issuer, audience, err, err2)
		}
	}
}

// knownScopes are the scopes that the API knows, and those of its sources.
func knownScopes(t *testing.T) []string {
	t.Helper()
	scopes := []string{"bindery/source." + string(directory.SourceAD), "bindery/source." + string(directory.SourceSCIM)}
	for _, m := range inSource(t, "shared/api/admin/caller.go", `Scope\w+ += "(bindery/[a-z]+)"`) {
		scopes = append(scopes, m[1])
	}
	slices.Sort(scopes)
	return scopes
}

// A new admin takes over bit by bit: API Gateway calls the alias, which moves
// with each release and with each change of the table, and goes back by an alarm.
func TestShift(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	on := Values{"AdminDeployment": "LambdaCanary10Percent5Minutes", "AdminAlias": "arn:admin:live", "AdminFunction": "admin", "AdminFunction.Arn": "arn:admin"}
	off := with(on, "AdminDeployment", "AllAtOnce")
	for _, tt := range []struct {
		what    any
		on, off string
	}{
		{At(tmpl.Resources, "AdminIntegration", "Properties", "IntegrationUri"), "arn:admin:live", "arn:admin"},
		{At(tmpl.Resources, "AdminPermission", "Properties", "FunctionName"), "arn:admin:live", "admin"},
	} {
		for given, want := range map[*Values]string{&on: tt.on, &off: tt.off} {
			if got, err := tmpl.Resolve(tt.what, *given); err != nil || got != want {
				t.Errorf("with %s API Gateway calls %q, %v; want %s", (*given)["AdminDeployment"], got, err, want)
			}
		}
	}
	if At(tmpl.Resources, "AdminIntegration", "DependsOn") != "AdminPermission" {
		t.Error("API Gateway may be turned to the alias, or from it, before it may call what it is turned to")
	}
	version := tmpl.Of("AWS::Lambda::Version")["AdminVersion"]
	for _, what := range []any{version["Description"], tmpl.Of("AWS::Serverless::Function")["AdminFunction"]["Description"]} {
		before, err := tmpl.Resolve(what, with(on, "Release", "1"))
		after, err2 := tmpl.Resolve(what, with(on, "Release", "2"))
		if err != nil || err2 != nil || before == after {
			t.Errorf("%v does not change with a release: no new version is made (%v, %v)", what, err, err2)
		}
	}
	before, _ := tmpl.Resolve(version["Description"], with(on, "TableName", "one"))
	after, _ := tmpl.Resolve(version["Description"], with(on, "TableName", "two"))
	if before == after {
		t.Error("AdminVersion does not change with the table: the alias would stay with the old one")
	}
	longest := 1
	for _, name := range []string{"Release", "TableName"} {
		m := regexp.MustCompile(`,(\d+)}`).FindStringSubmatch(fmt.Sprint(At(tmpl.Parameters, name, "AllowedPattern")))
		if m == nil {
			t.Fatalf("%s may be of any length", name)
		}
		n, _ := strconv.Atoi(m[1]) // digits
		longest += n
	}
	if longest > 256 {
		t.Errorf("a version's description has up to %d characters, and Lambda takes 256", longest)
	}
	alias := At(tmpl.Resources, "AdminAlias")
	if At(alias, "Properties", "FunctionVersion", "Fn::GetAtt", 0) != "AdminVersion" || At(alias, "UpdatePolicy", "CodeDeployLambdaAliasUpdate", "DeploymentGroupName", "Ref") != "AdminDeploymentGroup" {
		t.Errorf("AdminAlias = %v", alias)
	}
	group := tmpl.Of("AWS::CodeDeploy::DeploymentGroup")["AdminDeploymentGroup"]
	if At(group, "AlarmConfiguration", "Alarms", 0, "Name", "Ref") != "AdminShiftAlarm" || !slices.Contains(list(At(group, "AutoRollbackConfiguration", "Events")), any("DEPLOYMENT_STOP_ON_ALARM")) {
		t.Errorf("AdminDeploymentGroup = %v", group)
	}
	if got := rightsOf(t, tmpl, "AdminDeploymentRole", ""); len(got) != 7 {
		t.Errorf("AdminDeploymentRole may %v", got)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	tmpl := &Template{
		Parameters: map[string]any{"A": map[string]any{"Default": "x"}, "B": map[string]any{"Default": ""}},
		Conditions: map[string]any{
			"IsX":  map[string]any{"Fn::Equals": []any{map[string]any{"Ref": "A"}, "x"}},
			"HasB": map[string]any{"Fn::Not": []any{map[string]any{"Fn::Equals": []any{map[string]any{"Ref": "B"}, ""}}}},
			"Both": map[string]any{"Fn::And": []any{map[string]any{"Condition": "IsX"}, map[string]any{"Condition": "HasB"}}},
			"One":  map[string]any{"Fn::Or": []any{map[string]any{"Condition": "IsX"}, map[string]any{"Condition": "HasB"}}},
		},
	}
	for _, tt := range []struct {
		given Values
		want  string
	}{
		{Values{}, "IsX One"}, {Values{"B": "y"}, "Both HasB IsX One"}, {Values{"A": "y"}, ""}, {Values{"A": "y", "B": "y"}, "HasB One"},
	} {
		var held []string
		for _, c := range slices.Sorted(maps.Keys(tmpl.Conditions)) {
			if is, err := tmpl.Holds(c, tt.given); err != nil {
				t.Error(err)
			} else if is {
				held = append(held, c)
			}
		}
		if got := strings.Join(held, " "); got != tt.want {
			t.Errorf("with %v hold %q, want %q", tt.given, got, tt.want)
		}
	}
	for _, bad := range []any{map[string]any{"Ref": "none"}, map[string]any{"Fn::Base64": "x"}, map[string]any{"Fn::If": []any{"None", "a", "b"}}, map[string]any{"Fn::Select": []any{5, map[string]any{"Fn::Split": []any{"/", "a/b"}}}}} {
		if got, err := tmpl.Resolve(bad, nil); err == nil {
			t.Errorf("Resolve(%v) = %q", bad, got)
		}
	}
	if got, err := tmpl.Resolve(map[string]any{"Fn::Select": []any{1, map[string]any{"Fn::Split": []any{"/", map[string]any{"Ref": "A"}}}}}, Values{"A": "a/b,c"}); got != "b,c" || err != nil {
		t.Errorf("Select = %q, %v", got, err)
	}
}

// Paused stops everything that works by itself: each queue and the schedule.
func TestPaused(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for paused, want := range map[string][2]string{"false": {"true", "ENABLED"}, "true": {"false", "DISABLED"}} {
		for name, p := range tmpl.Of("AWS::Serverless::Function") {
			sources, _ := p["Events"].(map[string]any)
			for event, s := range sources {
				what, i := "Enabled", 0
				if At(s, "Type") == "Schedule" {
					what, i = "State", 1
				}
				if got, err := tmpl.Resolve(At(s, "Properties", what), Values{"Paused": paused}); err != nil || got != want[i] {
					t.Errorf("Paused %s: %s of %s is %q, %v; want %s", paused, event, name, got, err, want[i])
				}
			}
		}
	}
}
