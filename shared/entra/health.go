package entra

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// TenantDomains lists all domains of the tenant, verified or not (G 6).
func (t *Tenant) TenantDomains(ctx context.Context) ([]directory.TenantDomain, error) {
	type domain struct {
		ID                 string   `json:"id"`
		AuthenticationType string   `json:"authenticationType"`
		IsDefault          bool     `json:"isDefault"`
		IsInitial          bool     `json:"isInitial"`
		IsVerified         bool     `json:"isVerified"`
		SupportedServices  []string `json:"supportedServices"`
	}
	list, err := readList[domain](ctx, t, "domains", "/domains?$select=id,authenticationType,isDefault,isInitial,isVerified,supportedServices", priorityLow)
	if err != nil {
		return nil, err
	}
	out := make([]directory.TenantDomain, 0, len(list))
	for _, d := range list {
		out = append(out, directory.TenantDomain{
			Domain:   directory.Domain{Name: d.ID, AuthenticationType: d.AuthenticationType, IsDefault: d.IsDefault, IsInitial: d.IsInitial},
			Verified: d.IsVerified,
			Email:    slices.Contains(d.SupportedServices, "Email"),
		})
	}
	return out, nil
}

// ServiceRecords lists the DNS records that Microsoft expects of a domain, as
// type, label and value (G 6).
func (t *Tenant) ServiceRecords(ctx context.Context, name string) ([]directory.ExpectedRecord, error) {
	type record struct {
		RecordType    string `json:"recordType"`
		Label         string `json:"label"`
		MailExchange  string `json:"mailExchange"`
		Text          string `json:"text"`
		CanonicalName string `json:"canonicalName"`
	}
	list, err := readList[record](ctx, t, "the DNS records of a domain", "/domains/"+url.PathEscape(name)+"/serviceConfigurationRecords", priorityLow)
	if err != nil {
		return nil, err
	}
	var out []directory.ExpectedRecord
	for _, r := range list {
		value := cmp.Or(r.MailExchange, r.Text, r.CanonicalName)
		if value != "" {
			out = append(out, directory.ExpectedRecord{Type: strings.ToUpper(r.RecordType), Label: r.Label, Value: value})
		}
	}
	return out, nil
}
