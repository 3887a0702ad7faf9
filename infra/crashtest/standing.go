package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// watched are the properties of accounts that are compared.
var watched = []string{"userPrincipalName", "accountEnabled", "displayName", "givenName", "surname", "mailNickname", "department", "jobTitle", "mobilePhone",
	"onPremisesExtensionAttributes"}

// standing describes tenant and directory completely, but for what differs
// between two runs of the same scenario: identifiers and times.
func (w *World) standing(ctx context.Context) (string, error) {
	var b strings.Builder
	c, err := w.store.Connections.Connection(ctx, w.conn)
	if err != nil {
		return "", err
	}
	open, err := w.store.Runs.OpenRuns(ctx, w.conn)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "connection %s, epoch %d, %d open runs\n", c.Status, c.Epoch, len(open))
	names := map[directory.UserID]string{}
	for _, p := range w.scenario.people {
		id := w.users[p.name]
		names[id] = p.name
		u, err := w.store.Users.User(ctx, id)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "user %s: %s %s, deleted %t\n", p.name, u.Email, u.State, u.Deleted != nil)
	}
	w.accounts(&b)
	if err := w.ofGroups(ctx, &b, c.Epoch); err != nil {
		return "", err
	}
	for epoch := int64(1); epoch <= c.Epoch; epoch++ {
		list, _, err := w.store.Bindings.ListBindings(ctx, directory.KindAccount, w.conn, epoch, "", 1000)
		if err != nil {
			return "", err
		}
		slices.SortFunc(list, func(a, b directory.Binding) int { return strings.Compare(names[a.UserID], names[b.UserID]) })
		for i := range list {
			describe(&b, epoch, names[list[i].UserID], &list[i])
		}
	}
	former, _, err := w.store.Bindings.Former(ctx, w.conn, "", 1000)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, f := range former {
		lines = append(lines, fmt.Sprintf("former %s: %s of epoch %d\n", names[f.UserID], f.UserPrincipalName, f.Epoch))
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
	fmt.Fprintf(&b, "%d secrets\n", len(w.vault.Names()))
	return w.named().Replace(b.String()), nil
}

// accounts describes every account of the tenant.
func (w *World) accounts(b *strings.Builder) {
	ids := map[string]bool{}
	for _, m := range w.Sim.Mutations(simTenant) {
		if m.Target == "user" {
			ids[m.TargetID] = true
		}
	}
	for _, p := range w.scenario.people {
		if a, ok := w.Sim.Account(simTenant, p.name+"@"+simDomain); ok {
			ids[fmt.Sprint(a["id"])] = true
		}
	}
	var lines []string
	for id := range ids {
		a, ok := w.Sim.Account(simTenant, id)
		if !ok {
			lines = append(lines, "account that is gone for good\n")
			continue
		}
		var values []string
		for _, name := range watched {
			values = append(values, text(a[name]))
		}
		lines = append(lines, fmt.Sprintf("account %s, deleted %t\n", strings.Join(values, " | "), a["deletedDateTime"] != nil))
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func describe(b *strings.Builder, epoch int64, name string, bd *directory.Binding) {
	problem := ""
	if bd.Problem != nil {
		problem = bd.Problem.Code
	}
	var findings []string
	for _, f := range bd.Findings {
		findings = append(findings, f.Code)
	}
	fmt.Fprintf(b, "binding %s of epoch %d: %s, %s %q %v, dirty %t, release %q, blocked %t, created %t, base %s, before %s\n",
		name, epoch, bd.UserPrincipalName, bd.Status, problem, findings, bd.Dirty(), bd.Release, bd.Blocked, bd.Created, text(bd.Base), text(bd.Before))
}

// difference shows the lines that two descriptions do not share.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for _, line := range a {
		if !slices.Contains(b, line) {
			out = append(out, "missing: "+line)
		}
	}
	for _, line := range b {
		if !slices.Contains(a, line) {
			out = append(out, "instead: "+line)
		}
	}
	return strings.Join(out, "\n\t")
}
