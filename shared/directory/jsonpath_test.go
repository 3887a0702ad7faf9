package directory

import (
	"strings"
	"testing"
)

func TestParseSettingsNamesTheMember(t *testing.T) {
	for body, want := range map[string]string{
		`{"interval": 5}`: "settings.interval must not be of type number",
		`{"mode":"approve","guard": {"block": {"count": "x"}}}`:                      "settings.guard.block.count must not be of type string",
		`{"guard": {"block": {"count": 3, "share": 0.1}, "create": {"count": 1.5}}}`: "settings.guard.create.count must not be of type number",
		`{"protected": ["a", "b", 7]}`:                                               "settings.protected[2] must not be of type number",
		`{"attributes": {"city": {"export": true}, "jobTitle": {"export": "yes"}}}`:  "settings.attributes.jobTitle.export must not be of type string",
		`{"domainMap": {"a.example": ["b.example"]}}`:                                "settings.domainMap.a.example must not be of type array",
		`{"import": true}`: "settings.import must not be of type bool",
	} {
		_, err := ParseSettings([]byte(body))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "directory.") {
			t.Errorf("ParseSettings(%s) = %v, want %s", body, err, want)
		}
	}
}
