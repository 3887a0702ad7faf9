package doctor

import (
	"testing"

	"bindery/shared/core/mapping"
	"bindery/shared/directory"
)

// TestValuesNotTaken: single values of bound users that Microsoft refused or keeps
// otherwise are found; the former are a warning, the latter only information.
func TestValuesNotTaken(t *testing.T) {
	f := &Facts{Connection: &directory.Connection{ID: "con_1", Epoch: 1}, People: People{Outside: map[string][]Person{}}}
	s := &seen{byAddress: map[string]Person{}, held: map[string]Person{}, byAccount: map[directory.AccountID]Person{}, values: map[string]Person{}, domains: map[string]*DomainIs{}}
	s.mapper = mapping.New(directory.Settings{}, []directory.Domain{{Name: "corp.example"}})
	u := &directory.User{ID: "usr_1", Profile: directory.Profile{Email: "ann@corp.example", DisplayName: "Ann", State: directory.StateActive}}
	b := &directory.Binding{UserID: u.ID, ConnectionID: "con_1", Epoch: 1, AccountID: "acc_1",
		Refused: map[string]directory.RefusedValue{"department": {Problem: directory.Problem{Code: "property-invalid", Message: "No."}}},
		Kept:    map[string]directory.KeptValue{"jobTitle": {Code: directory.CodeNotKept}}}
	s.user(f, u, b)
	s.user(f, u, &directory.Binding{UserID: u.ID, ConnectionID: "con_2", Refused: b.Refused, Kept: b.Kept})
	found := map[string]Severity{}
	for _, one := range ofPeople(f) {
		if found[one.Code] = one.Severity; one.Users != 1 {
			t.Errorf("%s concerns %d users", one.Code, one.Users)
		}
	}
	if len(found) != 2 || found["values-refused"] != Warning || found["values-kept-otherwise"] != Info {
		t.Errorf("found %v", found)
	}
}
