package plan

import (
	"cmp"
	"fmt"
	"sort"
	"strings"

	"bindery/shared/directory"
)

// Order sorts changes by the phase of their effect, then by object, accounts first; an object's changes keep their order.
func Order(changes []directory.Change) {
	sort.SliceStable(changes, func(i, j int) bool {
		a, b := &changes[i], &changes[j]
		x, y := a.Ref(), b.Ref()
		return cmp.Or(cmp.Compare(a.Effect.Row().Phase, b.Effect.Row().Phase), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.ID, y.ID)) < 0
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
