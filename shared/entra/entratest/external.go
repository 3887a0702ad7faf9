package entratest

import (
	"fmt"
	"net/http"
	"strings"
)

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
func (s *Server) AddExternal(tenantID string, spec ExternalSpec) (string, error) {
	if !mailRE.MatchString(spec.Mail) {
		return "", fmt.Errorf("mail %q is not an address", spec.Mail)
	}
	userType, state := orText(spec.UserType, "Guest"), orText(spec.State, "Accepted")
	if userType != "Guest" && userType != "Member" {
		return "", fmt.Errorf("userType is Guest or Member, not %q", userType)
	}
	if state != "Accepted" && state != "PendingAcceptance" {
		return "", fmt.Errorf("externalUserState is Accepted or PendingAcceptance, not %q", state)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[strings.ToLower(tenantID)]
	if t == nil {
		return "", errUnknownTenant
	}
	nickname := strings.Replace(spec.Mail, "@", "_", 1) + "#EXT#"
	upn := nickname + "@" + t.initialDomain()
	given := map[string]any{
		"userPrincipalName": upn, "mailNickname": nickname, "displayName": orText(spec.DisplayName, spec.Mail), "userType": userType,
		"mail": spec.Mail, "proxyAddresses": []any{"SMTP:" + spec.Mail}, "otherMails": []any{spec.Mail},
		"creationType": "Invitation", "externalUserState": state, "externalUserStateChangeDateTime": stamp(s.now()),
		"identities": externalIdentities(t, orText(spec.Issuer, "ExternalAzureAD"), upn),
	}
	for name, value := range map[string]string{"givenName": spec.GivenName, "surname": spec.Surname} {
		if value != "" {
			given[name] = value
		}
	}
	return s.addAccount(t, given)
}

// externalIdentities are those of an account whose person signs in elsewhere. The
// name at home is not told, except of a one-time passcode sent by mail.
func externalIdentities(t *tenant, issuer, upn string) []any {
	return []any{
		map[string]any{"signInType": "federated", "issuer": issuer, "issuerAssignedId": nil},
		map[string]any{"signInType": "userPrincipalName", "issuer": t.initialDomain(), "issuerAssignedId": upn},
	}
}

// InviteAccount has an account of the tenant's own become an external one whose
// person has this address at home: it keeps its id, its userType and its
// userPrincipalName.
func (s *Server) InviteAccount(tenantID, idOrUPN, mail string) error {
	if !mailRE.MatchString(mail) {
		return fmt.Errorf("mail %q is not an address", mail)
	}
	upn, identities, err := s.invitation(tenantID, idOrUPN)
	if err != nil {
		return err
	}
	return s.EditAccount(tenantID, upn, map[string]any{
		"otherMails": []any{mail}, "externalUserState": "Accepted", "externalUserStateChangeDateTime": stamp(s.now()), "identities": identities,
	})
}

func (s *Server) invitation(tenantID, idOrUPN string) (upn string, identities []any, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, idOrUPN)
	if err != nil {
		return "", nil, err
	}
	upn = o.text("userPrincipalName")
	return upn, externalIdentities(t, "ExternalAzureAD", upn), nil
}

// ConvertToInternal has an external account become one of the tenant's own, as
// convertExternalToInternalMemberUser does: a member with a name in the tenant,
// whose creationType still tells how it began.
func (s *Server) ConvertToInternal(tenantID, idOrUPN, upn string) error {
	if err := s.nameOfTenant(tenantID, upn); err != nil {
		return err
	}
	if err := s.EditAccount(tenantID, idOrUPN, map[string]any{
		"userPrincipalName": upn, "userType": "Member", "externalUserState": nil, "externalUserStateChangeDateTime": nil, "identities": nil,
	}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, o, err := s.account(tenantID, upn)
	if err != nil {
		return err
	}
	next := o.clone()
	next.Converted = true
	c := change{s: s, t: t}
	c.put(next, "identities")
	return c.commit()
}

func (s *Server) nameOfTenant(tenantID, upn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[strings.ToLower(tenantID)]
	if t == nil {
		return errUnknownTenant
	}
	if _, ok := t.domainOf(upn); !ok {
		return fmt.Errorf("userPrincipalName %q is not in a verified domain of the tenant", upn)
	}
	return nil
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func controlAddExternal(s *Server, r *http.Request) (int, any, error) {
	tenantID, err := controlTenant(s, r)
	if err != nil {
		return 0, nil, err
	}
	var spec ExternalSpec
	if err := readControl(r, &spec); err != nil {
		return 0, nil, err
	}
	id, err := s.AddExternal(tenantID, spec)
	if err != nil {
		return 0, nil, err
	}
	a, _ := s.Account(tenantID, id)
	return http.StatusCreated, a, nil
}

func controlInvite(s *Server, r *http.Request) (int, any, error) {
	var in struct {
		Mail string `json:"mail"`
	}
	return controlConvert(s, r, &in, func(tenantID, account string) error { return s.InviteAccount(tenantID, account, in.Mail) })
}

func controlConvertToInternal(s *Server, r *http.Request) (int, any, error) {
	var in struct {
		UserPrincipalName string `json:"userPrincipalName"`
	}
	return controlConvert(s, r, &in, func(tenantID, account string) error {
		return s.ConvertToInternal(tenantID, account, in.UserPrincipalName)
	})
}

func controlConvert(s *Server, r *http.Request, into any, convert func(tenantID, account string) error) (int, any, error) {
	tenantID, account, err := controlTarget(s, r)
	if err != nil {
		return 0, nil, err
	}
	before, _ := s.Account(tenantID, account)
	if err := readControl(r, into); err != nil {
		return 0, nil, err
	}
	if err := convert(tenantID, account); err != nil {
		return 0, nil, err
	}
	id, _ := before["id"].(string) // the userPrincipalName may be another now
	a, _ := s.Account(tenantID, id)
	return http.StatusOK, a, nil
}
