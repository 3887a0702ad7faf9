// Package directory is Bindery's vocabulary: the people of our directory, the
// connections to Microsoft 365 tenants, the bindings between the two, and the
// runs and changes that keep them in step. It imports the standard library and
// the tables of Unicode and of domain names (golang.org/x/text, x/net/idna), does
// no I/O and reads no clock; every other package speaks its types, and compares
// texts by its forms (form.go).
//
// The words are those of the design: a user is a person in our directory, an
// account is a user object in Microsoft 365, a binding says "this user is
// managed as this account through this connection", a run is one
// synchronisation, and a change is one intended write with the values before
// and after. The list of a run's changes is both its plan and its journal.
package directory
