package state

import (
	"fmt"
	"reflect"
	"testing"
)

func TestExpire(t *testing.T) {
	t.Parallel()
	s := SKU{Enabled: 3, Warning: 1, Suspended: 2}
	var way []string
	for range 4 {
		way = append(way, fmt.Sprintf("%s %d", s.Capability(), s.Seats()))
		s = s.Expire()
	}
	if want := []string{"Enabled 4", "Warning 4", "Suspended 0", "Deleted 0"}; !reflect.DeepEqual(way, want) {
		t.Errorf("the way to the end: %v, want %v", way, want)
	}
	if got := (SKU{LockedOut: 1}).Capability(); got != "LockedOut" {
		t.Errorf("cancelled: %s", got)
	}
}

func TestUnion(t *testing.T) {
	t.Parallel()
	got := Union([]Assignment{
		{SKUID: "a", Disabled: []string{"1", "2"}, State: AssignmentActive},
		{SKUID: "a", Disabled: []string{"2", "3"}, Group: "g", State: AssignmentWithError},
		{SKUID: "a", Group: "h", State: AssignmentError},
		{SKUID: "b", Disabled: []string{"1"}, State: AssignmentError},
		{SKUID: "c", State: AssignmentAllDisabled},
	})
	if want := map[string][]string{"a": {"2"}, "c": nil}; !reflect.DeepEqual(got, want) {
		t.Errorf("Union = %v, want %v", got, want)
	}
}
