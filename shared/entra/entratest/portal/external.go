package portal

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"bindery/shared/entra/entratest/state"
)

var mailRE = regexp.MustCompile(`^[!-?A-~]+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)+$`)

// ExternalSpec is somebody of another tenant or provider who is given an account
// in a tenant: by an invitation, or by cross-tenant synchronisation, which
// invites members and leaves nothing to accept.
type ExternalSpec struct {
	Mail        string `json:"mail"` // at home
	DisplayName string `json:"displayName,omitempty"`
	GivenName   string `json:"givenName,omitempty"`
	Surname     string `json:"surname,omitempty"`
	UserType    string `json:"userType,omitempty"`          // Guest (default) or Member
	State       string `json:"externalUserState,omitempty"` // Accepted (default) or PendingAcceptance
	Issuer      string `json:"issuer,omitempty"`            // ExternalAzureAD (default), MicrosoftAccount, mail, google.com
}

// AddExternal gives somebody from outside an account and returns its id.
func (p *Portal) AddExternal(tenantID string, spec ExternalSpec) (string, error) {
	spec.UserType = cmp.Or(spec.UserType, "Guest")
	spec.State = cmp.Or(spec.State, "Accepted")
	switch {
	case !mailRE.MatchString(spec.Mail):
		return "", fmt.Errorf("mail %q is not an address", spec.Mail)
	case spec.UserType != "Guest" && spec.UserType != "Member":
		return "", fmt.Errorf("userType is Guest or Member, not %q", spec.UserType)
	case spec.State != "Accepted" && spec.State != "PendingAcceptance":
		return "", fmt.Errorf("externalUserState is Accepted or PendingAcceptance, not %q", spec.State)
	}
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return "", state.ErrNoTenant
	}
	nickname := strings.Replace(spec.Mail, "@", "_", 1) + "#EXT#"
	upn := nickname + "@" + t.InitialDomain()
	given := map[string]any{
		"userPrincipalName": upn, "mailNickname": nickname, "displayName": cmp.Or(spec.DisplayName, spec.Mail), "userType": spec.UserType,
		"mail": spec.Mail, "proxyAddresses": []any{"SMTP:" + spec.Mail}, "otherMails": []any{spec.Mail},
		"creationType": "Invitation", "externalUserState": spec.State, "externalUserStateChangeDateTime": state.Stamp(tx.Now()),
		"identities": t.ExternalIdentities(cmp.Or(spec.Issuer, "ExternalAzureAD"), upn),
	}
	if spec.GivenName != "" {
		given["givenName"] = spec.GivenName
	}
	if spec.Surname != "" {
		given["surname"] = spec.Surname
	}
	return AddAccount(tx, t, given)
}

// InviteAccount has an account of the tenant's own become an external one whose
// person has this address at home: it keeps its id, its userType and its
// userPrincipalName.
func (p *Portal) InviteAccount(tenantID, idOrUPN, mail string) error {
	if !mailRE.MatchString(mail) {
		return fmt.Errorf("mail %q is not an address", mail)
	}
	upn, identities, err := p.invitation(tenantID, idOrUPN)
	if err != nil {
		return err
	}
	return p.EditAccount(tenantID, upn, map[string]any{
		"otherMails": []any{mail}, "externalUserState": "Accepted", "externalUserStateChangeDateTime": state.Stamp(p.state.Now()), "identities": identities,
	})
}

func (p *Portal) invitation(tenantID, idOrUPN string) (upn string, identities []any, err error) {
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, idOrUPN)
	if err != nil {
		return "", nil, err
	}
	upn = o.Text("userPrincipalName")
	return upn, t.ExternalIdentities("ExternalAzureAD", upn), nil
}

// ConvertToInternal has an external account become one of the tenant's own, as
// convertExternalToInternalMemberUser does: a member with a name in the tenant,
// whose creationType still tells how it began.
func (p *Portal) ConvertToInternal(tenantID, idOrUPN, upn string) error {
	if err := p.checkName(tenantID, upn); err != nil {
		return err
	}
	if err := p.EditAccount(tenantID, idOrUPN, map[string]any{
		"userPrincipalName": upn, "userType": "Member", "externalUserState": nil, "externalUserStateChangeDateTime": nil, "identities": nil,
	}); err != nil {
		return err
	}
	tx := p.state.Begin()
	defer tx.End()
	t, o, err := account(tx, tenantID, upn)
	if err != nil {
		return err
	}
	next := o.Clone()
	next.Converted = true
	change := tx.Change(t)
	change.Put(next, "identities")
	return change.Commit()
}

// checkName refuses a name that is not in a verified domain of the tenant.
func (p *Portal) checkName(tenantID, upn string) error {
	tx := p.state.Begin()
	defer tx.End()
	t := tx.Tenant(tenantID)
	if t == nil {
		return state.ErrNoTenant
	}
	if _, ok := t.DomainOf(upn); !ok {
		return fmt.Errorf("userPrincipalName %q is not in a verified domain of the tenant", upn)
	}
	return nil
}
