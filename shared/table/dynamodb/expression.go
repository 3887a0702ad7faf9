package dynamodb

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"bindery/shared/table"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// expression collects the names and values that an expression stands for.
// Names are always replaced, so that reserved words and odd signs do no harm.
type expression struct {
	names  map[string]string // attribute to placeholder
	values attributes
}

func newExpression() *expression {
	return &expression{names: map[string]string{}, values: attributes{}}
}

func (x *expression) name(attribute string) string {
	if p, ok := x.names[attribute]; ok {
		return p
	}
	p := "#" + strconv.Itoa(len(x.names))
	x.names[attribute] = p
	return p
}

func (x *expression) value(v types.AttributeValue) string {
	p := ":" + strconv.Itoa(len(x.values))
	x.values[p] = v
	return p
}

// namesOrNil and valuesOrNil: DynamoDB refuses empty maps.
func (x *expression) namesOrNil() map[string]string {
	if len(x.names) == 0 {
		return nil
	}
	out := make(map[string]string, len(x.names))
	for attribute, p := range x.names {
		out[p] = attribute
	}
	return out
}

func (x *expression) valuesOrNil() attributes {
	if len(x.values) == 0 {
		return nil
	}
	return x.values
}

// condition returns nil for a condition that asks for nothing.
func (x *expression) condition(c *table.Condition) *string {
	if c.IsZero() {
		return nil
	}
	var either []string
	if c.Absent {
		either = append(either, "attribute_not_exists("+x.name("pk")+")")
	}
	if c.Present {
		either = append(either, "attribute_exists("+x.name("pk")+")")
	}
	for _, tests := range c.AnyOf {
		all := []string{"attribute_exists(" + x.name("pk") + ")"}
		for i := range tests {
			all = append(all, x.test(&tests[i]))
		}
		either = append(either, "("+strings.Join(all, " AND ")+")")
	}
	return aws.String(strings.Join(either, " OR "))
}

func (x *expression) test(t *table.Test) string {
	var attribute string
	var value types.AttributeValue
	switch {
	case t.Number == "version":
		attribute, value = "ver", number(t.N)
	case t.Number != "":
		attribute, value = "n_"+t.Number, number(t.N)
	default:
		attribute, value = "s_"+t.String, text(t.S)
	}
	name := x.name(attribute)
	switch t.Op {
	case table.IsMissing:
		return "attribute_not_exists(" + name + ")"
	case table.NotEqual: // which DynamoDB holds to be true of what is missing
		return "attribute_exists(" + name + ") AND " + name + " <> " + x.value(value)
	}
	return name + " " + string(t.Op) + " " + x.value(value)
}

// update always adds to ver, so that an item made by an update has one.
func (x *expression) update(u *table.Update) *string {
	set, remove := x.assign(u)
	add := []string{x.name("ver") + " " + x.value(number(u.AddVersion))}
	for _, name := range slices.Sorted(maps.Keys(u.AddNumbers)) {
		add = append(add, x.name("n_"+name)+" "+x.value(number(u.AddNumbers[name])))
	}
	for _, name := range u.RemoveNumbers {
		remove = append(remove, x.name("n_"+name))
	}
	for _, name := range u.RemoveStrings {
		remove = append(remove, x.name("s_"+name))
	}
	words := []string{"ADD " + strings.Join(add, ", ")}
	if len(set) > 0 {
		words = append(words, "SET "+strings.Join(set, ", "))
	}
	if len(remove) > 0 {
		words = append(words, "REMOVE "+strings.Join(remove, ", "))
	}
	return aws.String(strings.Join(words, " "))
}

// assign returns what an update sets, and what it removes to set to nothing.
func (x *expression) assign(u *table.Update) (set, remove []string) {
	assign := func(attribute string, v types.AttributeValue) {
		set = append(set, x.name(attribute)+" = "+x.value(v))
	}
	for _, name := range slices.Sorted(maps.Keys(u.SetNumbers)) {
		assign("n_"+name, number(u.SetNumbers[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(u.SetStrings)) {
		assign("s_"+name, text(u.SetStrings[name]))
	}
	if u.SetBody != nil {
		assign("B", &types.AttributeValueMemberB{Value: u.SetBody})
	}
	for index, to := range map[int]*table.Key{1: u.SetIndex1, 2: u.SetIndex2} {
		partition, sort := indexAttributes(index)
		switch {
		case to == nil:
		case *to == (table.Key{}):
			remove = append(remove, x.name(partition), x.name(sort))
		default:
			assign(partition, text(to.Partition))
			assign(sort, text(to.Sort))
		}
	}
	switch {
	case u.SetExpires == nil:
	case u.SetExpires.IsZero():
		remove = append(remove, x.name("exp"))
	default:
		assign("exp", number(u.SetExpires.Unix()))
	}
	return set, remove
}
