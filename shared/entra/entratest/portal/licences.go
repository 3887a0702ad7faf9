package portal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/skus"
	"bindery/shared/entra/entratest/state"
)

// settled finds a tenant, after the work on licences that is due by now.
func settled(tx *state.Tx, tenantID string) (*state.Tenant, error) {
	t := tx.Tenant(tenantID)
	if t == nil {
		return nil, state.ErrNoTenant
	}
	return t, licensing.Settle(tx, t)
}

// newSKUs completes the subscriptions of a new tenant.
func newSKUs(random *state.Random, given []state.SKU) ([]state.SKU, error) {
	var out []state.SKU
	for i, s := range given {
		s = skus.Complete(s)
		if s.SKUID == "" {
			s.SKUID = random.ID()
		}
		if err := checkSKU(s); err != nil {
			return nil, fmt.Errorf("licences[%d]: %w", i, err)
		}
		s.SKUID = strings.ToLower(s.SKUID)
		if slices.ContainsFunc(out, func(o state.SKU) bool { return o.SKUID == s.SKUID }) {
			return nil, fmt.Errorf("licences[%d]: the subscription %s is listed twice", i, s.SKUID)
		}
		out = append(out, s)
	}
	return out, nil
}

func checkSKU(s state.SKU) error {
	switch {
	case s.SKUPartNumber == "":
		return errors.New("a subscription needs a skuPartNumber")
	case !state.IsGUID(s.SKUID):
		return fmt.Errorf("the skuId %q is not a GUID", s.SKUID)
	case min(s.Enabled, s.Warning, s.Suspended, s.LockedOut) < 0:
		return errors.New("a subscription cannot have fewer than 0 seats")
	case s.AppliesTo != "" && s.AppliesTo != "User" && s.AppliesTo != "Company":
		return fmt.Errorf("appliesTo is User or Company, not %q", s.AppliesTo)
	}
	for _, p := range s.Plans {
		if !state.IsGUID(p.ID) || p.ID != strings.ToLower(p.ID) || p.Name == "" {
			return fmt.Errorf("the service plan %q needs an id in lower case and a name", p.ID)
		}
	}
	return nil
}

// Subscription is a subscription and how many of its seats are taken.
type Subscription struct {
	state.SKU

	CapabilityStatus string `json:"capabilityStatus"`
	Consumed         int    `json:"consumedUnits"`
}

// Licences are the subscriptions of a tenant.
func (p *Portal) Licences(tenantID string) ([]Subscription, error) {
	tx := p.state.Begin()
	defer tx.End()
	t, err := settled(tx, tenantID)
	if err != nil {
		return nil, err
	}
	out := []Subscription{}
	for _, s := range t.SKUs {
		out = append(out, Subscription{s, s.Capability(), t.Consumed(s.SKUID)})
	}
	return out, nil
}

// SetLicence buys a subscription, or puts another number of seats, or another
// description, in place of the one with its id or part number. Whoever has a licence
// keeps it, also when there are fewer seats now.
func (p *Portal) SetLicence(tenantID string, s state.SKU) error {
	s = skus.Complete(s)
	return p.editSKUs(tenantID, func(list []state.SKU) ([]state.SKU, error) {
		i := findSKU(list, s.SKUID, s.SKUPartNumber)
		if i >= 0 && s.SKUID == "" {
			s.SKUID = list[i].SKUID
		}
		if i >= 0 && s.Plans == nil {
			s.Plans = list[i].Plans
		}
		if s.SKUID == "" {
			s.SKUID = p.state.Random.ID()
		}
		s.SKUID = strings.ToLower(s.SKUID)
		if err := checkSKU(s); err != nil {
			return nil, err
		}
		if i < 0 {
			return append(list, s), nil
		}
		list[i] = s
		return list, nil
	})
}

// ExpireLicence takes a subscription, by id or part number, to the next step of its
// end: grace, suspended, gone.
func (p *Portal) ExpireLicence(tenantID, ref string) error {
	return p.editSKUs(tenantID, func(list []state.SKU) ([]state.SKU, error) {
		i := findSKU(list, ref, ref)
		if i < 0 {
			return nil, fmt.Errorf("there is no subscription %q", ref)
		}
		list[i] = list[i].Expire()
		return list, nil
	})
}

func findSKU(list []state.SKU, id, part string) int {
	i := slices.IndexFunc(list, func(s state.SKU) bool { return strings.EqualFold(s.SKUID, id) })
	if i >= 0 {
		return i
	}
	return slices.IndexFunc(list, func(s state.SKU) bool { return strings.EqualFold(s.SKUPartNumber, part) })
}

func (p *Portal) editSKUs(tenantID string, edit func([]state.SKU) ([]state.SKU, error)) error {
	return p.editOrganization(tenantID, func(_ *state.Tx, o *state.Organization) (err error) {
		o.SKUs, err = edit(o.SKUs)
		return err
	})
}

func (p *Portal) editOrganization(tenantID string, edit func(*state.Tx, *state.Organization) error) error {
	tx := p.state.Begin()
	defer tx.End()
	t, err := settled(tx, tenantID)
	if err != nil {
		return err
	}
	next := t.Clone()
	if err := edit(tx, &next); err != nil {
		return err
	}
	change := tx.Change(t)
	change.SetOrganization(next)
	return change.Commit()
}

// LicenceService is how the licence service of a tenant behaves; the zero value is as
// usual. It is the body of PUT /_control/tenants/{id}/licence-service.
type LicenceService struct {
	ProcessingSeconds float64  `json:"processingSeconds,omitempty"` // until a group's licences reach its members
	BusySeconds       float64  `json:"busySeconds,omitempty"`       // from now on, for somebody else: every licence call is refused
	TakenAddresses    []string `json:"takenAddresses,omitempty"`    // of recipients that only Exchange knows: no mailbox can have them
}

// SetLicenceService says how the licence service of a tenant behaves from now on.
func (p *Portal) SetLicenceService(tenantID string, s LicenceService) error {
	if min(s.ProcessingSeconds, s.BusySeconds) < 0 {
		return errors.New("a length of time cannot be negative")
	}
	return p.editOrganization(tenantID, func(tx *state.Tx, o *state.Organization) error {
		o.Licensing = state.Licensing{ProcessingSeconds: s.ProcessingSeconds, TakenAddresses: s.TakenAddresses}
		if s.BusySeconds > 0 {
			o.Licensing.BusyUntil = tx.Now().Add(time.Duration(s.BusySeconds * float64(time.Second)))
		}
		return nil
	})
}

// AssignLicences gives and takes licences of a user or a group as an account of the
// tenant that works in Microsoft's admin center; the references are ids,
// userPrincipalNames, or the displayName of a group. It is refused as Graph refuses it.
func (p *Portal) AssignLicences(tenantID, actor, ref string, r licensing.Request) error {
	tx := p.state.Begin()
	defer tx.End()
	t, by, err := account(tx, tenantID, actor)
	if err != nil {
		return err
	}
	o := t.Find(ref)
	if o == nil {
		_, o, _ = group(tx, tenantID, ref)
	}
	if o == nil || !o.Active() {
		return fmt.Errorf("there is no user or group %q", ref)
	}
	next, err := withLicences(tx, t, o, r)
	if err != nil {
		return err
	}
	names, before, after := state.Difference(o, next)
	if len(names) == 0 {
		return nil
	}
	if v := licensing.Clash(t, o, next); v != nil {
		return v
	}
	m := state.MutationOf("license", next)
	m.Before = before
	m.After = after
	m.Actor = by.ID
	m.ActorUPN = by.Text("userPrincipalName")
	change := tx.Change(t)
	change.Put(next, names...)
	change.Log(m)
	return change.Commit()
}

func withLicences(tx *state.Tx, t *state.Tenant, o *state.Object, r licensing.Request) (*state.Object, error) {
	if o.Kind == state.Group {
		licences, v := licensing.Group(t, o, r)
		if v != nil {
			return nil, v
		}
		next := o.Clone()
		next.Props["assignedLicenses"] = state.Licences(licences)
		return next, nil
	}
	rows, v := licensing.Direct(t, o, r, o.Text("usageLocation"), tx.Now())
	if v != nil {
		return nil, v
	}
	return licensing.Apply(t, o, rows, tx.Now()), nil
}
