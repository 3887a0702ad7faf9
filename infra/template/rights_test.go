package template

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"bindery/shared/boot/app"
	"bindery/shared/platform/upload"
)

// A right is one action on one resource.
type right struct{ action, resource string }

// need is why some functions have some rights.
type need struct {
	why       string
	functions []app.Function
	actions   []string
	resources []string
}

var (
	// every has a log, and works; all seal what they do.
	every  = []app.Function{app.Admin, app.Console, app.Deactivate, app.LoadFiles, app.OAuthCallback, app.Schedule, app.Scim, app.Sync}
	all    = []app.Function{app.Admin, app.Deactivate, app.LoadFiles, app.OAuthCallback, app.Schedule, app.Scim, app.Sync}
	logsIn = []app.Function{app.Admin, app.OAuthCallback, app.Schedule, app.Sync}
	// most are behind a token, the schedule or a queue; the callback is open to all.
	most     = []app.Function{app.Admin, app.Deactivate, app.LoadFiles, app.Schedule, app.Sync}
	callback = []app.Function{app.OAuthCallback}
)

// needs is everything that Bindery's functions may do, and why. A right that
// is in template.yaml and not here, or the other way round, fails.
var needs = []need{
	{"writes its own log", every, []string{"logs:CreateLogStream", "logs:PutLogEvents"}, []string{"own log"}},
	{"reads records by key and by prefix", []app.Function{app.Admin, app.Deactivate, app.Schedule, app.Sync}, []string{"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}, []string{"Table"}},
	{"reads and writes what is pushed, each by partitions (TestScimKeys)", []app.Function{app.Scim}, []string{"dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"}, []string{"Table"}},
	{"lists users, groups and what a client has pushed", []app.Function{app.Scim}, []string{"dynamodb:Query"}, []string{"Table/index/index1"}},
	{"reads records by key", []app.Function{app.LoadFiles}, []string{"dynamodb:BatchGetItem", "dynamodb:GetItem"}, []string{"Table"}},
	{"reads which groups are above one (TestLoadKeys)", []app.Function{app.LoadFiles}, []string{"dynamodb:Query"}, []string{"Table"}},
	{"lists connections, runs, bindings, users", []app.Function{app.Admin, app.Deactivate, app.Schedule, app.Sync}, []string{"dynamodb:Query"}, []string{"Table/index/index1"}},
	{"lists what is to be written, and what was done", []app.Function{app.Admin, app.Schedule, app.Sync}, []string{"dynamodb:Query"}, []string{"Table/index/index2"}},
	{"reads and writes single records of few partitions, and a connection with its lease (TestCallbackKeys)", callback, []string{"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"}, []string{"Table"}},
	{"writes records, alone and in transactions", most, []string{"dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}, []string{"Table"}},
	{"holds users, connections and leases still while it writes what depends on them", []app.Function{app.Admin, app.LoadFiles, app.Sync}, []string{"dynamodb:ConditionCheckItem"}, []string{"Table"}},
	{"the table and the secrets lie under this key: DynamoDB opens the table's own key with it in the caller's name, Secrets Manager a secret's", every, []string{"kms:Decrypt"}, []string{"Key"}},
	{"Secrets Manager makes a key for each version of a secret", logsIn, []string{"kms:GenerateDataKey"}, []string{"Key"}},
	{"wakes sync", []app.Function{app.Admin, app.LoadFiles, app.OAuthCallback, app.Schedule, app.Scim, app.Sync}, []string{"sqs:SendMessage"}, []string{"WorkQueue"}},
	{"wakes load", []app.Function{app.Admin, app.LoadFiles, app.Schedule, app.Sync}, []string{"sqs:SendMessage"}, []string{"LoadQueue"}},
	{"asks for a sweep", []app.Function{app.Admin, app.Deactivate, app.Schedule}, []string{"sqs:SendMessage"}, []string{"SweepQueue"}},
	{"is woken by its queue", []app.Function{app.Sync}, []string{"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}, []string{"WorkQueue"}},
	{"is woken by its queue", []app.Function{app.LoadFiles}, []string{"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}, []string{"LoadQueue"}},
	{"is woken by its queue", []app.Function{app.Deactivate}, []string{"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}, []string{"SweepQueue"}},
	{"keeps the connections' tokens fresh", []app.Function{app.Admin, app.Schedule, app.Sync}, []string{"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"}, []string{"connections' secrets"}},
	{"makes the secret of a sign-in; nobody else can bring a deleted one back", callback, []string{"secretsmanager:CreateSecret"}, []string{"connections' secrets"}},
	{"deletes tokens: of an epoch that has passed, that others took the place of, or that nobody confirmed", []app.Function{app.Admin, app.Deactivate, app.Schedule}, []string{"secretsmanager:DeleteSecret"}, []string{"connections' secrets"}},
	{"proves to Microsoft which app it is", logsIn, []string{"secretsmanager:GetSecretValue"}, []string{"client secret"}},
	{"makes and checks the states of authorisations", []app.Function{app.Admin, app.OAuthCallback}, []string{"secretsmanager:GetSecretValue"}, []string{"StateKey"}},
	{"seals what it does, when it writes it", all, []string{"kms:GenerateMac"}, []string{"SealKey"}},
	{"links what was done, onto links that are ours; verifies it", []app.Function{app.Schedule, app.Sync}, []string{"kms:VerifyMac"}, []string{"SealKey"}},
	{"keeps the heads of the chains: adds them, and changes none", []app.Function{app.Schedule, app.Sync}, []string{"s3:PutObject"}, []string{"heads"}},
	{"finds out which heads are kept, under markers too", []app.Function{app.Schedule, app.Sync}, []string{"s3:ListBucketVersions"}, []string{"heads' bucket"}},
	{"tells admins what needs them", []app.Function{app.Schedule, app.Sync}, []string{"events:PutEvents"}, []string{"EventBus"}},
	{"signs the requests that store uploaded files, which S3 takes as admin's own, and looks whether what was stored can be read", []app.Function{app.Admin}, []string{"s3:GetObject", "s3:PutObject"}, []string{"uploads"}},
	{"reads an uploaded file and deletes it", []app.Function{app.LoadFiles}, []string{"s3:DeleteObject", "s3:GetObject"}, []string{"uploads"}},
	{"tells a file that is not there from one that is not ours", []app.Function{app.Admin, app.LoadFiles}, []string{"s3:ListBucket"}, []string{"UploadBucket"}},
	{"keeps the sessions of those who look at its pages (TestConsoleKeys)", []app.Function{app.Console}, []string{"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"}, []string{"Table"}},
	{"proves to the issuer which app it is, if it has a secret there", []app.Function{app.Console}, []string{"secretsmanager:GetSecretValue"}, []string{"console's client secret"}},
	{"derives temporary passwords: sync sets them, admin shows them once", []app.Function{app.Admin, app.Sync}, []string{"secretsmanager:GetSecretValue"}, []string{"PasswordKey"}},
}

func TestRights(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for folder, f := range functions(t, tmpl) {
		want := map[right]string{}
		for _, n := range needs {
			if !slices.Contains(n.functions, app.Function(folder)) {
				continue
			}
			for _, a := range n.actions {
				for _, r := range n.resources {
					want[right{a, r}] = n.why
				}
			}
		}
		role := fmt.Sprint(At(f.properties, "Role", "Fn::GetAtt", 0))
		got := rightsOf(t, tmpl, role, strings.TrimSuffix(f.resource, "Function")+"Logs")
		for r := range got {
			if _, ok := want[r]; !ok {
				t.Errorf("%s may %s on %s, and the table above knows no need for it", folder, r.action, r.resource)
			}
		}
		for r, why := range want {
			if !got[r] {
				t.Errorf("%s may not %s on %s, but %s", folder, r.action, r.resource, why)
			}
		}
	}
}

// Each function has a role of its own, which only Lambda may take.
func TestRoles(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	used := map[string]string{}
	for folder, f := range functions(t, tmpl) {
		role := fmt.Sprint(At(f.properties, "Role", "Fn::GetAtt", 0))
		if other, ok := used[role]; ok {
			t.Errorf("%s and %s share %s", folder, other, role)
		}
		used[role] = folder
		p := tmpl.Of("AWS::IAM::Role")[role]
		if At(p, "AssumeRolePolicyDocument", "Statement", 0, "Principal", "Service") != "lambda.amazonaws.com" || p["ManagedPolicyArns"] != nil {
			t.Errorf("%s: want Lambda as the only taker, and no managed policy", role)
		}
	}
	used["NoticeRole"] = "the rule of notices"            // TestNoticeRole
	used["AdminDeploymentRole"] = "CodeDeploy, for admin" // TestShift
	if roles := tmpl.Of("AWS::IAM::Role"); len(roles) != len(used) {
		t.Errorf("roles %v, used %v", slices.Sorted(maps.Keys(roles)), used)
	}
}

// rightsOf lists what a role may do, with resources by the names of the table.
func rightsOf(t *testing.T, tmpl *Template, role, ownLog string) map[right]bool {
	t.Helper()
	rights := map[right]bool{}
	policies, _ := At(tmpl.Resources, role, "Properties", "Policies").([]any)
	for _, p := range policies {
		statements, _ := At(p, "PolicyDocument", "Statement").([]any)
		for _, s := range statements {
			if At(s, "Effect") != "Allow" {
				t.Errorf("%s: a statement that does not allow", role)
			}
			for _, r := range list(At(s, "Resource")) {
				name := resourceName(r, ownLog)
				if name == "Key" {
					checkKeyCondition(t, role, s)
				}
				for _, a := range list(At(s, "Action")) {
					rights[right{fmt.Sprint(a), name}] = true
				}
			}
		}
	}
	return rights
}

// checkKeyCondition: the key is used through the services that hold the data,
// never directly.
func checkKeyCondition(t *testing.T, role string, statement any) {
	t.Helper()
	via := list(At(statement, "Condition", "StringEquals", "kms:ViaService"))
	if len(via) == 0 {
		t.Errorf("%s may use the key by other ways than the services", role)
	}
	for _, v := range via {
		service, _ := At(v, "Fn::Sub").(string)
		if service != "dynamodb.${AWS::Region}.${AWS::URLSuffix}" && service != "secretsmanager.${AWS::Region}.${AWS::URLSuffix}" && service != "s3.${AWS::Region}.${AWS::URLSuffix}" {
			t.Errorf("%s: the key through %v", role, v)
		}
	}
}

// tableName is the stack's own table, or the one that it is told to use.
var tableName = map[string]any{"Fn::If": []any{"OwnTable", map[string]any{"Ref": "Table"}, map[string]any{"Ref": "TableName"}}}

func list(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func resourceName(v any, ownLog string) string {
	const secrets = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
	const table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}"
	sub, _ := At(v, "Fn::Sub").(string)
	named, _ := At(v, "Fn::Sub", 0).(string)
	switch {
	case named == "arn:${AWS::Partition}:s3:::${Bucket}/heads/*":
		return "heads"
	case named == "arn:${AWS::Partition}:s3:::${Bucket}":
		return "heads' bucket"
	case At(v, "Fn::GetAtt", 0) == ownLog:
		return "own log"
	case At(v, "Fn::GetAtt", 1) == "Arn":
		return fmt.Sprint(At(v, "Fn::GetAtt", 0))
	case strings.HasPrefix(named, table) && sorted(At(v, "Fn::Sub", 1, "Name")) == sorted(tableName):
		return "Table" + strings.TrimPrefix(named, table)
	case sub == secrets+"bindery/${AWS::StackName}/connections/*":
		return "connections' secrets"
	case sub == "${UploadBucket.Arn}/"+upload.S3Prefix+"*":
		return "uploads"
	case named == secrets+"${Name}-??????":
		return "console's client secret"
	case sub == secrets+"${EntraClientSecretName}-??????":
		return "client secret"
	case At(v, "Ref") != nil:
		return fmt.Sprint(At(v, "Ref"))
	}
	return fmt.Sprint(v)
}
