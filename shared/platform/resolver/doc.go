// Package resolver asks name servers about domains for the doctor. It stands by
// itself so that only functions that do so carry a DNS client.
//
//	dns.go  DNS  a name server, on AWS and on a laptop alike
//
// # Contract
//
// Look has no error: what could not be found out is a fact of the answer
// (Failed, by the kind of record), and a name that is not there is an empty answer.
// Nothing is kept, so a crash leaves nothing; all may be called at once by many.
package resolver

import (
	"context"

	"bindery/shared/directory"
)

// Resolver is what each driver does.
type Resolver interface {
	// Look asks for a domain's mail: MX, TXT with what its SPF includes, and where
	// autodiscover leads.
	Look(ctx context.Context, domain string) *directory.DomainMail
}
