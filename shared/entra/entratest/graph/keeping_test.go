package graph

import (
	"testing"

	"bindery/shared/entra/entratest/faults"
	"bindery/shared/entra/entratest/state"
)

// TestValuesKeptOtherwise: a tenant keeps its own form of a value, drops it, or
// refuses it for one account; reads and deltas show what is there and nothing
// else.
func TestValuesKeptOtherwise(t *testing.T) {
	t.Parallel()
	l := newLab(t, labOptions{})
	_, link := l.round("/users/delta?$select=department,jobTitle,onPremisesExtensionAttributes")
	l.setFault(faults.Fault{Kind: "kept-otherwise", Property: "department", Value: "SALES"})
	l.setFault(faults.Fault{Kind: "value-dropped", Property: "jobTitle"})
	l.setFault(faults.Fault{Kind: "value-dropped", Property: "extensionAttribute3"})
	l.setFault(faults.Fault{Kind: "value-refused", Property: "city", User: "PLAIN@fabrikam.example"})
	l.setFault(faults.Fault{Kind: "value-refused", Property: "mailNickname", Code: "ObjectConflict", Times: 1})

	l.want(204, "PATCH", "/users/"+plainID, `{"department":"Sales","jobTitle":"Head","onPremisesExtensionAttributes":{"extensionAttribute3":"x","extensionAttribute4":"y"}}`)
	got := l.raw(plainID)
	if got["department"] != "SALES" || got["jobTitle"] != "Clerk" {
		t.Errorf("kept %v and %v", got["department"], got["jobTitle"])
	}
	if ext, _ := got["onPremisesExtensionAttributes"].(map[string]any); ext["extensionAttribute3"] != nil || ext["extensionAttribute4"] != "y" {
		t.Errorf("extension attributes = %v", ext)
	}
	items, link := l.round(link)
	if it := items[plainID]; it["department"] != "SALES" {
		t.Errorf("the delta says %v", it)
	}
	l.want(204, "PATCH", "/users/"+plainID, `{"jobTitle":"Head"}`)
	if items, _ := l.round(link); len(items) != 0 {
		t.Errorf("a write that changed nothing is in the delta: %v", items)
	}

	before := l.raw(plainID)
	if e := l.want(400, "PATCH", "/users/"+plainID, `{"city":"Berlin","companyName":"Corp"}`); e.detail("target") != "city" {
		t.Errorf("the refusal names %q", e.detail("target"))
	}
	if after := l.raw(plainID); after["companyName"] != before["companyName"] {
		t.Error("a refused write took effect in part")
	}
	l.want(204, "PATCH", "/users/"+ownerID, `{"city":"Berlin"}`)
	if e := l.want(400, "PATCH", "/users/"+ownerID, `{"mailNickname":"owner"}`); e.detail("code") != "ObjectConflict" {
		t.Errorf("the refusal is a %q", e.detail("code"))
	}
	id := l.create("new@fabrikam.example")
	l.want(204, "PATCH", "/users/"+id, `{"department":"Ops"}`)
	if got := l.raw(id); got["department"] != "SALES" {
		t.Errorf("department of another account = %v", got["department"])
	}
	l.setFault(faults.Fault{Kind: "value-refused", Property: "mailNickname", Value: "taken"})
	l.want(400, "PATCH", "/users/"+id, `{"mailNickname":"taken"}`)
	l.want(204, "PATCH", "/users/"+id, `{"mailNickname":"free"}`)
	if _, err := l.s.faults.Add(faults.Fault{Kind: "value-dropped", Property: "createdDateTime"}); err == nil {
		t.Error("a fault of a property that cannot be written was taken")
	}
}

func (r result) detail(name string) string {
	e, _ := r.body["error"].(map[string]any)
	for _, d := range listOf(e["details"]) {
		m, _ := d.(map[string]any)
		return state.Text(m[name])
	}
	return ""
}
