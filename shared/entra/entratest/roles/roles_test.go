package roles

import (
	"slices"
	"testing"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	custom := "AAAAAAAA-0000-4000-8000-00000000000A"
	got, err := Templates([]string{"global administrator", GlobalAdministrator, custom, "Helpdesk Administrator"})
	if want := []string{GlobalAdministrator, "aaaaaaaa-0000-4000-8000-00000000000a", HelpdeskAdministrator}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Templates = %v, %v, want %v", got, err, want)
	}
	if _, err := Templates([]string{"King"}); err == nil {
		t.Error("a role that does not exist was found")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, template := range BuiltIn() {
		if back, err := Templates([]string{Name(template)}); err != nil || !slices.Equal(back, []string{template}) {
			t.Errorf("the name of %s leads to %v, %v", template, back, err)
		}
	}
	if name := Name("aaaaaaaa-0000-4000-8000-00000000000a"); name != "Custom role aaaaaaaa" || IsBuiltIn("aaaaaaaa-0000-4000-8000-00000000000a") {
		t.Errorf("a custom role is %q", name)
	}
}
