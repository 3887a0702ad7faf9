package entra

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"bindery/shared/directory"
)

// newItems make the requests of writes to tenant groups, memberships, managers and
// licences.
var newItems = map[directory.Effect]func(*Tenant, *directory.Write) (batchItem, *directory.Problem){
	directory.EffectGroupCreate: (*Tenant).groupCreateItem,
	directory.EffectGroupUpdate: onGroup(func(_ *Tenant, w *directory.Write, group string) (batchItem, *directory.Problem) {
		if len(w.Properties) == 0 {
			return batchItem{}, unfit("An update needs at least one property")
		}
		return withBody(http.MethodPatch, group, body(w.Properties, false))
	}),
	directory.EffectGroupDelete: onGroup(func(_ *Tenant, _ *directory.Write, group string) (batchItem, *directory.Problem) {
		return batchItem{Method: http.MethodDelete, URL: group}, nil
	}),
	directory.EffectGroupRestore: onGroup(func(_ *Tenant, w *directory.Write, _ string) (batchItem, *directory.Problem) {
		return batchItem{Method: http.MethodPost, URL: "/directory/deletedItems/" + url.PathEscape(string(w.GroupID)) + "/restore"}, nil
	}),
	directory.EffectMemberAdd: onMember(func(t *Tenant, w *directory.Write, group string) (batchItem, *directory.Problem) {
		return withBody(http.MethodPost, group+"/members/$ref", map[string]any{"@odata.id": t.address("directoryObjects", w.AccountID)})
	}),
	// With /$ref the membership goes; without it Microsoft deletes the member itself.
	directory.EffectMemberRemove: onMember(func(_ *Tenant, w *directory.Write, group string) (batchItem, *directory.Problem) {
		return batchItem{Method: http.MethodDelete, URL: group + "/members/" + url.PathEscape(string(w.AccountID)) + "/$ref"}, nil
	}),
	directory.EffectManagerSet: onAccount(func(t *Tenant, w *directory.Write, account string) (batchItem, *directory.Problem) {
		if !validID(string(w.ManagerID)) {
			return batchItem{}, unfit("A manager is set by the id of an account")
		}
		return withBody(http.MethodPut, account+"/manager/$ref", map[string]any{"@odata.id": t.address("users", w.ManagerID)})
	}),
	directory.EffectManagerClear: onAccount(func(_ *Tenant, _ *directory.Write, account string) (batchItem, *directory.Problem) {
		return batchItem{Method: http.MethodDelete, URL: account + "/manager/$ref"}, nil
	}),
	directory.EffectLicenceAdd:    licenceItem,
	directory.EffectLicenceRemove: licenceItem,
	directory.EffectLicenceSwap:   licenceItem,
	directory.EffectLicencePlans:  licenceItem,
	directory.EffectLicenceReprocess: onAccount(func(_ *Tenant, _ *directory.Write, account string) (batchItem, *directory.Problem) {
		return batchItem{Method: http.MethodPost, URL: account + "/reprocessLicenseAssignment"}, nil
	}),
}

// itemMaker makes the request of a write to an object, whose path it is given.
type itemMaker func(t *Tenant, w *directory.Write, path string) (batchItem, *directory.Problem)

func onGroup(build itemMaker) func(*Tenant, *directory.Write) (batchItem, *directory.Problem) {
	return func(t *Tenant, w *directory.Write) (batchItem, *directory.Problem) {
		if !validID(string(w.GroupID)) {
			return batchItem{}, unfit("A write needs the id of a group")
		}
		return build(t, w, "/groups/"+url.PathEscape(string(w.GroupID)))
	}
}

func onMember(build itemMaker) func(*Tenant, *directory.Write) (batchItem, *directory.Problem) {
	return onGroup(func(t *Tenant, w *directory.Write, group string) (batchItem, *directory.Problem) {
		if !validID(string(w.AccountID)) {
			return batchItem{}, unfit("A membership needs the id of a member")
		}
		return build(t, w, group)
	})
}

func onAccount(build itemMaker) func(*Tenant, *directory.Write) (batchItem, *directory.Problem) {
	return func(t *Tenant, w *directory.Write) (batchItem, *directory.Problem) {
		if !validID(string(w.AccountID)) {
			return batchItem{}, unfit("A write needs the id of an account")
		}
		return build(t, w, "/users/"+url.PathEscape(string(w.AccountID)))
	}
}

// address is how a body names an object: with the host of this cloud's Graph (GG 16).
func (t *Tenant) address(set string, id directory.AccountID) string {
	return t.graph.base.String() + "/" + set + "/" + url.PathEscape(string(id))
}

// groupCreateItem makes a group, or meets the one that has the uniqueName (GG 2.2).
// Members are added later: with them the call could fail for one who is not known yet
// everywhere.
func (t *Tenant) groupCreateItem(w *directory.Write) (batchItem, *directory.Problem) {
	if !validUniqueName(w.NewGroup.UniqueName) {
		return batchItem{}, unfit("A new group needs a unique name of letters, digits, - _ and .")
	}
	b := body(w.Properties, true)
	b["mailEnabled"], b["securityEnabled"] = false, true
	if w.NewGroup.Microsoft365 {
		b["mailEnabled"], b["securityEnabled"] = true, w.NewGroup.SecurityEnabled
		b["groupTypes"] = []string{"Unified"}
		b["visibility"] = "Private" // Microsoft's default lets everybody in
		if w.NewGroup.Quiet {
			b["resourceBehaviorOptions"] = []string{"WelcomeEmailDisabled"}
		}
	}
	item, problem := withBody(http.MethodPatch, uniquePath(w.NewGroup.UniqueName), b)
	if problem == nil {
		item.Headers["Prefer"] = "create-if-missing"
	}
	return item, problem
}

// membersItem adds several members to a group, all of them or none (GG 3.2).
func (t *Tenant) membersItem(writes []directory.Write, places []int) (batchItem, *directory.Problem) {
	list := make([]string, len(places))
	for n, i := range places {
		if !validID(string(writes[i].AccountID)) {
			return batchItem{}, unfit("A membership needs the id of a member")
		}
		list[n] = t.address("directoryObjects", writes[i].AccountID)
	}
	return onGroup(func(_ *Tenant, _ *directory.Write, group string) (batchItem, *directory.Problem) {
		return withBody(http.MethodPatch, group, map[string]any{"members@odata.bind": list})
	})(t, &writes[places[0]])
}

// licenceItem changes licences of an account, or of a group's members.
func licenceItem(t *Tenant, w *directory.Write) (batchItem, *directory.Problem) {
	add := make([]assignedLicence, 0, len(w.Licences.Add))
	for _, l := range w.Licences.Add {
		plans := l.DisabledPlans
		if plans == nil {
			plans = []directory.ServicePlanID{}
		}
		add = append(add, assignedLicence{SKUID: l.SKU, DisabledPlans: plans})
	}
	remove := w.Licences.Remove
	if remove == nil {
		remove = []directory.SKUID{}
	}
	if problem := checkLicences(w.Licences); problem != nil {
		return batchItem{}, problem
	}
	change := func(_ *Tenant, _ *directory.Write, of string) (batchItem, *directory.Problem) {
		// Both, always, empty ones too.
		return withBody(http.MethodPost, of+"/assignLicense", map[string]any{"addLicenses": add, "removeLicenses": remove})
	}
	if w.GroupID != "" {
		return onGroup(change)(t, w)
	}
	return onAccount(change)(t, w)
}

// checkLicences refuses a change that Microsoft cannot read, or could read otherwise.
func checkLicences(c directory.LicenceChange) *directory.Problem {
	if len(c.Add)+len(c.Remove) == 0 {
		return unfit("A change of licences needs a product")
	}
	seen := map[directory.SKUID]bool{}
	once := func(sku directory.SKUID) bool {
		twice := seen[sku]
		seen[sku] = true
		return !twice && validID(string(sku))
	}
	for _, l := range c.Add {
		if !once(l.SKU) {
			return unfit("A product is named by its id, once")
		}
		for _, p := range l.DisabledPlans {
			if !validID(string(p)) {
				return unfit("A service is named by its id")
			}
		}
	}
	for _, sku := range c.Remove {
		if !once(sku) {
			return unfit("A product is named by its id, once")
		}
	}
	return nil
}

// tenantBusy is how long to wait at least when another change of licences is under way
// in the tenant (GG 9.3).
const tenantBusy = 5 * time.Second

// soAlready reports whether a refusal says that what a write wants is so.
func soAlready(w *directory.Write, v verdict) bool {
	switch w.Effect {
	case directory.EffectDelete, directory.EffectGroupDelete:
		return v.missing
	case directory.EffectMemberAdd:
		return v.problem.Code == directory.CodeMemberAlready
	case directory.EffectMemberRemove:
		return v.problem.Code == directory.CodeMemberAbsent && !w.Young
	case directory.EffectManagerClear:
		return v.problem.Code == directory.CodeManagerNone
	case directory.EffectLicenceRemove:
		// Of several products one that is not held keeps the others from being taken.
		return v.problem.Code == directory.CodeLicenseNotHeld && len(w.Licences.Add) == 0 && len(w.Licences.Remove) == 1
	}
	return false
}

// notVisible reports whether a refusal may come of an object that was made lately.
func notVisible(w *directory.Write, v verdict) bool {
	if _, relates := newItems[w.Effect]; !relates {
		return false
	}
	if w.Young && v.problem.Code == directory.CodeMemberAbsent {
		return true
	}
	return v.missing || slices.Contains([]string{directory.CodeReferenceMissing, directory.CodeAccountNotReady, directory.CodeMemberUnclear}, v.problem.Code)
}

// appliedGroup reads the answer to a group's creation or restoring. 204 is the answer
// of a group that had the uniqueName; which one that is, lookAfter finds out.
func appliedGroup(o directory.Outcome, w *directory.Write, a *batchAnswer) directory.Outcome {
	if w.Effect == directory.EffectGroupRestore {
		o.GroupID, o.AccountID = w.GroupID, directory.AccountID(w.GroupID)
		return o
	}
	o.Already = a.status == http.StatusNoContent
	group, err := decodeGroup(a.body)
	if err != nil {
		o.Unknown, o.Problem = true, unnamed(&o)
		return o
	}
	o.GroupID, o.AccountID = group.ID, directory.AccountID(group.ID)
	return o
}

// lookAfter reads what answers leave open: which group has a uniqueName, and whether a
// member who could not be removed is none or the group is not there, for which Graph
// has one answer (GG 3.3). What cannot be read stays open.
func (t *Tenant) lookAfter(ctx context.Context, writes []directory.Write, outcomes []directory.Outcome) {
	var named []string
	var groups []directory.TenantGroupID
	var met, unremoved []int
	for i := range outcomes {
		w, o := &writes[i], &outcomes[i]
		switch {
		case w.Effect == directory.EffectGroupCreate && o.Already && o.Unknown:
			named, met = append(named, w.NewGroup.UniqueName), append(met, i)
		case w.Effect == directory.EffectMemberRemove && o.Status == http.StatusNotFound && o.NotVisible && !w.Young:
			groups, unremoved = append(groups, w.GroupID), append(unremoved, i)
		}
	}
	if len(met) > 0 {
		found, err := t.GroupsByUniqueName(ctx, named)
		for n, i := range met {
			if err == nil && found[n].Value != nil {
				id := found[n].Value.ID
				outcomes[i] = directory.Outcome{Status: outcomes[i].Status, RequestID: outcomes[i].RequestID, Already: true, GroupID: id, AccountID: directory.AccountID(id)}
			}
		}
	}
	if len(unremoved) > 0 {
		found, err := t.Groups(ctx, groups)
		for n, i := range unremoved {
			if err == nil && found[n].Value != nil {
				outcomes[i] = directory.Outcome{Status: outcomes[i].Status, AccountID: writes[i].AccountID, RequestID: outcomes[i].RequestID, Already: true}
			}
		}
	}
}
