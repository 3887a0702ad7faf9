package template

import (
	"fmt"
	"slices"
	"testing"
)

// The bucket of the heads is one that the stack cannot rewrite: what was added
// is locked for as long as entries are kept, nothing in it is public, and it
// outlives the stack.
func TestHeadsBucket(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	b := tmpl.Of("AWS::S3::Bucket")["HeadsBucket"]
	retention := At(b, "ObjectLockConfiguration", "Rule", "DefaultRetention")
	for what, ok := range map[string]bool{
		"Object Lock":              b["ObjectLockEnabled"] == true && At(b, "ObjectLockConfiguration", "ObjectLockEnabled") == "Enabled",
		"versions":                 At(b, "VersioningConfiguration", "Status") == "Enabled",
		"the mode that was chosen": At(retention, "Mode", "Ref") == "HeadsLockMode",
		"as long as entries":       At(retention, "Days", "Ref") == "RetentionDays",
		"encryption":               At(b, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") != nil,
		"no lists of rights":       At(b, "OwnershipControls", "Rules", 0, "ObjectOwnership") == "BucketOwnerEnforced",
		"kept when it is replaced": At(tmpl.Resources, "HeadsBucket", "UpdateReplacePolicy") == "Retain",
	} {
		if !ok {
			t.Errorf("HeadsBucket: want %s", what)
		}
	}
	for _, name := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if At(b, "PublicAccessBlockConfiguration", name) != true {
			t.Errorf("HeadsBucket: %s is not set", name)
		}
	}
	if mode := At(tmpl.Parameters, "HeadsLockMode", "AllowedValues"); !slices.Equal(list(mode), []any{"GOVERNANCE", "COMPLIANCE"}) {
		t.Errorf("HeadsLockMode may be %v", mode)
	}
}

// With a bucket of somebody else's the stack makes none, and the functions may
// use that one.
func TestHeadsBucketOfAnotherAccount(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for _, name := range []string{"HeadsBucket", "HeadsBucketPolicy"} {
		if got := At(tmpl.Resources, name, "Condition"); got != "OwnsHeads" {
			t.Errorf("%s is made if %v", name, got)
		}
	}
	chosen := func(v any) bool {
		return At(v, "Fn::If", 0) == "HasHeadsBucket" && At(v, "Fn::If", 1, "Ref") == "HeadsBucketName" && At(v, "Fn::If", 2, "Ref") == "HeadsBucket"
	}
	for folder, f := range functions(t, tmpl) {
		v, ok := environment(tmpl, f.properties)["HEADS_BUCKET"]
		if !ok {
			continue
		}
		if !chosen(v) {
			t.Errorf("%s keeps heads in %v", folder, v)
		}
		rights := 0
		role := fmt.Sprint(At(f.properties, "Role", "Fn::GetAtt", 0))
		for _, p := range list(At(tmpl.Resources, role, "Properties", "Policies")) {
			for _, s := range list(At(p, "PolicyDocument", "Statement")) {
				if sid := At(s, "Sid"); sid == "Heads" || sid == "ListHeads" {
					if rights++; !chosen(At(s, "Resource", "Fn::Sub", 1, "Bucket")) {
						t.Errorf("%s: %v is of another bucket than the one it is told", folder, sid)
					}
				}
			}
		}
		if rights != 2 {
			t.Errorf("%s has %d statements about heads, want 2", folder, rights)
		}
	}
}
