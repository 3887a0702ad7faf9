// Package portal is what people do to a tenant elsewhere than through Graph: in
// Microsoft's own portal, or by a synchronisation from on-premises. It makes tenants
// and changes accounts, domains and roles without permissions and without lag, also
// values that Graph only lets be read. What must be unique stays unique.
package portal
