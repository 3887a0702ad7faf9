package connect

import (
	"context"
	"slices"

	"bindery/shared/directory"
)

// Fault is what only those who run Bindery can mend, and no tenant's admin.
type Fault string

// The faults.
const (
	// ClientSecretRefused: Microsoft refuses the Entra app's client secret, or
	// there is none to send. No connection's tokens can be renewed.
	ClientSecretRefused Fault = "client-secret-refused"
	// TokensUnsaved: the vault does not take fresh tokens. They are kept in the
	// process and saved later; when it ends before, the former ones are still good.
	TokensUnsaved Fault = "tokens-unsaved"
)

// secretCodes are the codes of Microsoft's refusals that concern the client secret.
var secretCodes = []string{directory.CodeClientSecretExpired, directory.CodeClientSecretWrong, directory.CodeClientRefused}

func (s *Service) reportFault(ctx context.Context, f Fault) {
	if s.cfg.Report != nil {
		s.cfg.Report(ctx, f)
	}
}

// tokenRefused is tokenError for an answer of Microsoft to our app, which reports
// what concerns its client secret, and has it read anew.
func (s *Service) tokenRefused(ctx context.Context, at tokenStep, err error, secrets ...directory.Secret) *TokenError {
	e := tokenError(at, err, secrets...)
	if slices.Contains(secretCodes, e.Problem.Code) {
		s.reportFault(ctx, ClientSecretRefused)
		if s.cfg.ForgetClientSecret != nil {
			s.cfg.ForgetClientSecret()
		}
	}
	return e
}
