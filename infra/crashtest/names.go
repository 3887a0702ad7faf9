package crashtest

import (
	"strings"
)

// named makes names of the identifiers that differ between two worlds: those of users,
// groups, accounts and tenant groups.
func (w *World) named() *strings.Replacer {
	pairs := []string{theirGroup, "group Vertrieb"}
	for name, id := range w.users {
		pairs = append(pairs, string(id), name)
		if a, ok := w.Sim.Account(simTenant, name+"@"+simDomain); ok {
			pairs = append(pairs, a["id"].(string), "account "+name)
		}
	}
	for name, id := range w.groups {
		pairs = append(pairs, string(id), name)
	}
	seen := map[string]bool{}
	for _, m := range w.Sim.Mutations(simTenant) {
		name, _, _ := strings.Cut(m.UPN, "@")
		if m.Target == "group" {
			name = "group " + m.Name
		}
		if !seen[m.TargetID] && name != "" {
			pairs = append(pairs, m.TargetID, name)
		}
		seen[m.TargetID] = true
	}
	return strings.NewReplacer(pairs...)
}
