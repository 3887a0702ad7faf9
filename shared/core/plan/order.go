package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// Order sorts changes by the phase of their effect, then by object, accounts first; an object's changes keep their order.
func Order(changes []directory.Change) {
	slices.SortStableFunc(changes, func(a, b directory.Change) int {
		return cmp.Or(cmp.Compare(a.Effect.Row().Phase, b.Effect.Row().Phase), cmp.Compare(a.Ref().Kind, b.Ref().Kind), cmp.Compare(a.Ref().ID, b.Ref().ID))
	})
}

// Text is a change in one line, for people.
func Text(c directory.Change) string {
	who := c.UserPrincipalName
	if who == "" {
		who = c.Ref().ID
	}
	line := fmt.Sprintf("%-8s %s: %s", c.Effect, who, c.Reason)
	for _, p := range c.Properties {
		if p.Irreversible != "" {
			line += " [" + p.Irreversible + "]"
		}
	}
	if c.Irreversible != "" && c.Effect != directory.EffectCreate {
		line += " [" + c.Irreversible + "]"
	}
	if c.Effect != directory.EffectCreate {
		return line
	}
	values := make([]string, 0, len(c.Properties))
	for _, p := range c.Properties {
		values = append(values, p.Name+" "+quoted(p.After))
	}
	if len(values) == 0 {
		return line
	}
	return line + ", with " + strings.Join(values, ", ")
}
