package crashtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"bindery/infra/stack"
	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// related reports whether a mutation is about a group, a membership, a manager or
// licences.
func related(m *entratest.Mutation) bool {
	_, manager := m.After["manager"]
	return m.Kind != "noop" && (m.Target == "group" || m.Kind == "license" || manager)
}

// onceRelated demands of what was done with groups, memberships, managers and licences
// that each write has a change, and each change that was applied its write.
func (w *World) onceRelated(s *Snapshot, j *journal) []error {
	sent, told := map[string]int{}, map[string]int{}
	for _, m := range w.Sim.Mutations(simTenant)[s.mutations:] {
		if m.AppID == stack.ClientID && related(&m) {
			sent[j.all.Replace(mutated(&m))]++
		}
	}
	for i := range j.changes {
		c := &j.changes[i]
		if c.State == directory.ChangeApplied && !c.Object.IsZero() && !c.At.Before(w.opened) {
			told[j.wrote(c)]++
		}
	}
	delete(told, "")
	var wrong []error
	for line := range sent {
		told[line] += 0
	}
	for _, line := range slices.Sorted(maps.Keys(told)) {
		if sent[line] != told[line] {
			wrong = append(wrong, fmt.Errorf("%s took effect %d times, and the journal tells of %d", line, sent[line], told[line]))
		}
	}
	return wrong
}

// mutated tells what was done in the tenant.
func mutated(m *entratest.Mutation) string {
	switch {
	case m.Linked != nil:
		return fmt.Sprintf("%s %s %s", m.Kind, m.TargetID, m.Linked.ID)
	case m.Kind == "license":
		return relicensed(m.TargetID, products(m.Before["assignedLicenses"]), products(m.After["assignedLicenses"]))
	case m.Target == "user":
		return fmt.Sprintf("manager %s %v", m.TargetID, m.After["manager"])
	case m.Kind == "update":
		var values []string
		for name, v := range m.After {
			values = append(values, name+"="+text(v))
		}
		slices.Sort(values)
		return fmt.Sprintf("group-update %s %s", m.TargetID, strings.Join(values, " "))
	}
	return fmt.Sprintf("group-%s %s", m.Kind, m.TargetID)
}

// products are licences by product, with the services that are off.
func products(v any) map[string]string {
	all := map[string]string{}
	list, _ := v.([]any)
	for _, l := range list {
		var one directory.AssignedLicence
		if err := json.Unmarshal([]byte(text(l)), &one); err != nil {
			all[err.Error()] = ""
		}
		all[string(one.SKU)] = text(directory.LicenceValue(one.DisabledPlans))
	}
	return all
}

// relicensed tells what becomes other licences, by product.
func relicensed(account string, before, after map[string]string) string {
	var all []string
	for sku, plans := range after {
		if before[sku] != plans {
			all = append(all, "+"+sku+":"+plans)
		}
	}
	for sku := range before {
		if after[sku] == "" {
			all = append(all, "-"+sku)
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("licences %s %s", account, strings.Join(all, " "))
}

// wrote tells what a change wrote, in the words of mutated; "" when it writes nothing.
func (j *journal) wrote(c *directory.Change) string {
	if c.Effect.Row().Remembers {
		return ""
	}
	switch c.Object.Kind {
	case directory.KindMember:
		return fmt.Sprintf("%s %s", c.Effect, j.membership(c))
	case directory.KindManager:
		after := c.Properties[0].After
		id := strings.Trim(j.value(after), `"`)
		if after.IsNull() {
			id = ""
		}
		return fmt.Sprintf("manager account %s %s", j.names[directory.UserID(c.Object.ID)], id)
	case directory.KindLicence:
		before, after := map[string]string{}, map[string]string{}
		for _, p := range c.Properties {
			sku, is := directory.LicenceOfProperty(p.Name)
			for v, of := range map[*directory.Value]map[string]string{&p.Before: before, &p.After: after} {
				if is && !v.IsNull() {
					of[string(sku)] = text(v)
				}
			}
		}
		return relicensed("account "+j.names[directory.UserID(c.Object.ID)], before, after)
	}
	group := "group " + j.all.Replace(c.Object.ID)
	if c.Effect == directory.EffectGroupUpdate {
		var values []string
		for _, p := range c.Properties {
			values = append(values, p.Name+"="+text(p.After))
		}
		slices.Sort(values)
		return fmt.Sprintf("%s %s %s", c.Effect, group, strings.Join(values, " "))
	}
	return fmt.Sprintf("%s %s", c.Effect, group)
}

// membership names the tenant group and the member of a change.
func (j *journal) membership(c *directory.Change) string {
	if g, u, ok := c.Object.Member(); ok {
		return fmt.Sprintf("group %s account %s", j.all.Replace(string(g)), j.names[u])
	}
	if g, child, ok := c.Object.Nested(); ok {
		return fmt.Sprintf("group %s group %s", j.all.Replace(string(g)), j.all.Replace(string(child)))
	}
	g, a, _ := c.Object.Stranger()
	return fmt.Sprintf("group %s %s", j.all.Replace(string(g)), j.all.Replace(string(a)))
}

// related reports whether a request that is about groups, memberships, managers or
// licences has its changes; is says whether it is about those.
func (a *auditor) related(j *journal, q *request) (fits, is bool) {
	for _, what := range a.asked(j, q) {
		is = true
		recorded := slices.ContainsFunc(j.changes, func(c directory.Change) bool {
			open := c.State == directory.ChangePlanned || c.State == directory.ChangeApproved
			return open && !c.Object.IsZero() && j.matches(&c, what)
		})
		if !recorded {
			return false, true
		}
	}
	return is, is
}

// matches compares what a change writes with what is sent, of which a licence call says
// only what it adds and removes, and a creation what the group is called.
func (j *journal) matches(c *directory.Change, what string) bool {
	switch c.Object.Kind {
	case directory.KindLicence:
		var add, remove []string
		for _, p := range c.Properties {
			sku, is := directory.LicenceOfProperty(p.Name)
			switch {
			case !is:
			case p.After.IsNull():
				remove = append(remove, string(sku))
			default:
				add = append(add, string(sku))
			}
		}
		slices.Sort(add)
		slices.Sort(remove)
		return what == fmt.Sprintf("licences account %s +%v -%v", j.names[directory.UserID(c.Object.ID)], add, remove)
	case directory.KindGroup:
		if c.Effect == directory.EffectGroupCreate {
			i := slices.IndexFunc(c.Properties, func(p directory.PropertyChange) bool { return p.Name == "displayName" })
			return i >= 0 && what == "group-create "+text(c.Properties[i].After)
		}
	}
	return j.wrote(c) == what
}

// asked tells what a request asks for, in the words of wrote and matches.
func (a *auditor) asked(j *journal, q *request) []string {
	address, err := url.PathUnescape(q.URL)
	if err != nil {
		return nil
	}
	path := strings.Split(strings.Trim(address, "/"), "/")
	id := func(i int) string { return j.all.Replace(path[i]) }
	last := path[len(path)-1]
	switch {
	case last == "assignLicense":
		var add []directory.AssignedLicence
		var remove, added []string
		if json.Unmarshal(q.Body["addLicenses"], &add) != nil || json.Unmarshal(q.Body["removeLicenses"], &remove) != nil {
			return []string{"a licence call that cannot be read"}
		}
		for _, l := range add {
			added = append(added, string(l.SKU))
		}
		slices.Sort(added)
		slices.Sort(remove)
		return []string{fmt.Sprintf("licences %s +%v -%v", id(1), added, remove)}
	case path[0] == "users" && len(path) > 2 && path[2] == "manager":
		manager := ""
		if q.Method == "PUT" {
			manager = a.linked(j, q.Body["@odata.id"])
		}
		return []string{fmt.Sprintf("manager %s %s", id(1), manager)}
	case strings.HasPrefix(path[0], "groups("):
		return []string{"group-create " + string(q.Body["displayName"])}
	case path[0] == "groups" && len(path) > 2 && path[2] == "members":
		if q.Method == "DELETE" {
			return []string{fmt.Sprintf("member-remove %s %s", id(1), id(3))}
		}
		return []string{fmt.Sprintf("member-add %s %s", id(1), a.linked(j, q.Body["@odata.id"]))}
	case path[0] == "groups" && q.Method == "PATCH":
		return a.patched(j, q, id(1))
	case path[0] == "groups" && q.Method == "DELETE":
		return []string{"group-delete " + id(1)}
	}
	return nil
}

// patched tells what a PATCH of a group asks for.
func (a *auditor) patched(j *journal, q *request, group string) []string {
	var bind []json.RawMessage
	if json.Unmarshal(q.Body["members@odata.bind"], &bind) == nil && len(bind) > 0 {
		var all []string
		for _, raw := range bind {
			all = append(all, fmt.Sprintf("member-add %s %s", group, a.linked(j, raw)))
		}
		return all
	}
	var values []string
	for name, v := range q.Body {
		values = append(values, name+"="+string(v))
	}
	slices.Sort(values)
	return []string{fmt.Sprintf("group-update %s %s", group, strings.Join(values, " "))}
}

// linked names the object of an address.
func (a *auditor) linked(j *journal, raw json.RawMessage) string {
	var address string
	if json.Unmarshal(raw, &address) != nil {
		return "nobody"
	}
	return j.all.Replace(address[strings.LastIndex(address, "/")+1:])
}
