package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"bindery/shared/directory"
)

// licenceSelect is what is read of an account's licences. All of it is told only when
// it is asked for.
const licenceSelect = "$select=id,accountEnabled,usageLocation,assignedLicenses,licenseAssignmentStates"

// SKUs lists the products that the tenant has licences of, with their seats. Errors as
// those of List.
func (t *Tenant) SKUs(ctx context.Context) ([]directory.LicenceSKU, error) {
	list, err := readList[directory.LicenceSKU](ctx, t, "the tenant's products", "/subscribedSkus", priorityLow)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if !validID(string(list[i].ID)) {
			return nil, fmt.Errorf("%w: %w: a product", directory.ErrUnavailable, errJSON)
		}
	}
	return list, nil
}

// Licences reads what accounts have of licences directly, and answers each in its
// place. An answer without a value says that there is no such account.
func (t *Tenant) Licences(ctx context.Context, ids []directory.AccountID) ([]directory.Read[directory.AccountLicences], error) {
	return readEach(ctx, t, ids, decodeLicences, func(id directory.AccountID) (string, bool) {
		return "/users/" + url.PathEscape(string(id)) + "?" + licenceSelect, validID(string(id))
	})
}

// ListLicences reads one page of the tenant's accounts with their licences; link is the
// page's Next, or "" for the first one. Errors as those of List.
func (t *Tenant) ListLicences(ctx context.Context, link string) (directory.LicencePage, error) {
	p, err := readPage(ctx, t, "/users?$top="+pageSize+"&"+licenceSelect, link, decodeLicences)
	return directory.LicencePage{Accounts: p.items, Next: p.next}, err
}

// LicenceErrors lists the direct members of a tenant group to whom Microsoft could not
// give all that the group licenses them for. Errors as those of List.
func (t *Tenant) LicenceErrors(ctx context.Context, group directory.TenantGroupID) ([]directory.AccountID, error) {
	if !validID(string(group)) {
		return nil, fmt.Errorf("%w: %q is not the ID of a group", directory.ErrInvalid, clip(string(group), 64))
	}
	list, err := readList[principal](ctx, t, "the members of a group without their licences",
		"/groups/"+url.PathEscape(string(group))+"/membersWithLicenseErrors?$select=id", priorityLow)
	if err != nil {
		return nil, err
	}
	ids := make([]directory.AccountID, 0, len(list))
	for _, m := range list {
		ids = append(ids, directory.AccountID(m.ID))
	}
	return ids, nil
}

// assignedLicence is a product as Graph has it on users and groups.
type assignedLicence struct {
	SKUID         directory.SKUID           `json:"skuId"`
	DisabledPlans []directory.ServicePlanID `json:"disabledPlans"`
}

func licencesOf(list []assignedLicence) []directory.AssignedLicence {
	var out []directory.AssignedLicence
	for _, l := range list {
		out = append(out, directory.AssignedLicence{SKU: l.SKUID, DisabledPlans: l.DisabledPlans})
	}
	return out
}

// decodeLicences reads an account with its licences. One that does not say what they
// are, be it that there are none, is no answer.
func decodeLicences(body []byte) (directory.AccountLicences, error) {
	var a struct {
		ID               string             `json:"id"`
		AccountEnabled   *bool              `json:"accountEnabled"`
		UsageLocation    *string            `json:"usageLocation"`
		AssignedLicenses *[]assignedLicence `json:"assignedLicenses"`
		States           *[]struct {
			assignedLicence
			AssignedByGroup *string    `json:"assignedByGroup"`
			State           string     `json:"state"`
			Error           *string    `json:"error"`
			Updated         *time.Time `json:"lastUpdatedDateTime"`
		} `json:"licenseAssignmentStates"`
	}
	if json.Unmarshal(body, &a) != nil || !validID(a.ID) || a.AssignedLicenses == nil || a.States == nil {
		return directory.AccountLicences{}, fmt.Errorf("%w: an account with its licences", errJSON)
	}
	out := directory.AccountLicences{
		AccountID: directory.AccountID(a.ID), Enabled: a.AccountEnabled == nil || *a.AccountEnabled, UsageLocation: text(a.UsageLocation),
		Assigned: licencesOf(*a.AssignedLicenses), States: make([]directory.LicenceState, 0, len(*a.States)),
	}
	for _, s := range *a.States {
		state := directory.LicenceState{
			AssignedLicence: directory.AssignedLicence{SKU: s.SKUID, DisabledPlans: s.DisabledPlans},
			AssignedByGroup: directory.TenantGroupID(text(s.AssignedByGroup)), State: s.State, Error: text(s.Error),
		}
		if at := utc(s.Updated); at != nil {
			state.Updated = *at
		}
		out.States = append(out.States, state)
	}
	return out, nil
}
