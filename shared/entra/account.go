package entra

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// extensions is Graph's object around the 15 extension attributes, which are flat
// everywhere else in this project.
const extensions = "onPremisesExtensionAttributes"

// always are the properties that are read whatever the caller names.
var always = []string{
	"id", "userType", "onPremisesSyncEnabled", "proxyAddresses", "createdDateTime", "mail",
	"userPrincipalName", "accountEnabled", "employeeId", "creationType", "externalUserState",
}

// identities are read where it is decided about an account: in a direct read, a
// search or a list. A delta round, which only says what to look at, does
// without: they would be a third of its bytes.
const identities = "identities"

// fields are the properties that have a member of their own in directory.Account
// and are not among its Properties.
var fields = []string{"id", "userType", "onPremisesSyncEnabled", "proxyAddresses", "createdDateTime", "deletedDateTime", "creationType", "externalUserState", identities, directory.PropAssignedLicences}

// selection is what accounts are asked for.
type selection struct {
	query string            // of $select
	asked []string          // names in Properties, flat
	names map[string]string // the same, so that one string serves all accounts
}

// newSelection makes a selection of flat names; more are asked for besides.
func newSelection(selected []string, more ...string) selection {
	s := selection{names: make(map[string]string)}
	var query []string
	for _, name := range slices.Concat(always, more, selected) {
		if _, twice := s.names[name]; twice || slices.Contains(query, name) {
			continue
		}
		if !slices.Contains(fields, name) {
			s.asked = append(s.asked, name)
			s.names[name] = name
		}
		if directory.IsExtensionAttribute(name) {
			name = extensions
		}
		if !slices.Contains(query, name) {
			query = append(query, name)
		}
	}
	s.query = "$select=" + escapeQuery(strings.Join(query, ","))
	return s
}

// escapeQuery escapes a value for a query; a blank becomes %20, which reads the
// same everywhere, and commas stay readable.
func escapeQuery(v string) string {
	return strings.NewReplacer("+", "%20", "%2C", ",").Replace(url.QueryEscape(v))
}

// fill makes what was asked for and not answered Null.
func (s *selection) fill(a *directory.Account) {
	for _, name := range s.asked {
		if _, ok := a.Properties[name]; !ok {
			a.Properties[name] = directory.Null
		}
	}
}

// decodePage reads a page of accounts. Items of a delta round keep only what they
// have (partial); others have Null for what they lack.
func decodePage(body []byte, sel selection, partial bool) (directory.AccountPage, error) {
	var page directory.AccountPage
	s := scanner{data: body}
	found := false
	s.object(func(key []byte) {
		switch string(key) {
		case "value":
			found = true
			// Each item has an id: a good guess spares the growing.
			page.Accounts = make([]directory.Account, 0, min(bytes.Count(body, []byte(`"id"`)), 1000))
			s.array(func() {
				a, removed := s.account(&sel)
				switch {
				case removed != nil:
					page.Removed = append(page.Removed, *removed)
				default:
					if !partial {
						sel.fill(&a)
					}
					page.Accounts = append(page.Accounts, a)
				}
			})
		case "@odata.nextLink":
			page.Next = s.optional()
		case "@odata.deltaLink":
			page.DeltaLink = s.optional()
		default:
			s.skip()
		}
	})
	if err := s.end(); err != nil {
		return directory.AccountPage{}, err
	}
	if !found {
		return directory.AccountPage{}, fmt.Errorf("%w: it has no value", errJSON)
	}
	return page, nil
}

// decodeAccount reads one account.
func decodeAccount(body []byte, sel selection) (directory.Account, error) {
	s := scanner{data: body}
	a, _ := s.account(&sel)
	if err := s.end(); err != nil {
		return directory.Account{}, err
	}
	sel.fill(&a)
	return a, nil
}

// account takes one user object. An object without an id is an error.
func (s *scanner) account(sel *selection) (a directory.Account, removed *directory.RemovedAccount) {
	a.Properties = make(directory.Properties, len(sel.asked))
	gone, permanent := false, false
	s.object(func(key []byte) {
		switch string(key) {
		case "id":
			a.ID = directory.AccountID(s.optional())
		case "userType":
			a.UserType = s.optional()
		case "onPremisesSyncEnabled":
			a.OnPremisesSync = s.yes()
		case "creationType":
			a.CreationType = s.optional()
		case "externalUserState":
			a.ExternalUserState = s.optional()
		case identities:
			a.Identities = s.identities()
		case directory.PropAssignedLicences:
			a.Licences = s.licences()
		case "proxyAddresses":
			if list, ok := s.value().List(); ok {
				a.ProxyAddresses = list
			}
		case "createdDateTime":
			a.Created = s.time()
		case "deletedDateTime":
			if at := s.time(); !at.IsZero() {
				a.Deleted = &at
			}
		case extensions:
			s.extensions(&a, sel)
		case "@removed":
			gone, permanent = true, s.permanent()
		case managerDelta:
			manager := s.manager()
			a.Manager = &manager
		default:
			s.property(&a, sel, key)
		}
	})
	if a.ID == "" {
		s.fail()
	}
	if gone {
		removed = &directory.RemovedAccount{ID: a.ID, Permanent: permanent}
	}
	return a, removed
}

// managerDelta is what a round of changes tells the manager in, when manager is among what
// was selected (G 2.2).
const managerDelta = "manager@delta"

// manager reads who is the manager now, of those who are, or are not any more.
func (s *scanner) manager() (now directory.AccountID) {
	s.array(func() {
		if m, removed := s.member(); !removed {
			now = m.ID
		}
	})
	return now
}

// property takes a value into Properties; annotations, objects and numbers are
// nothing that the project knows.
func (s *scanner) property(a *directory.Account, sel *selection, key []byte) {
	c := s.next()
	if len(key) == 0 || key[0] == '@' || c == '{' || c == '-' || c >= '0' && c <= '9' {
		s.skip()
		return
	}
	name, ok := sel.names[string(key)]
	if !ok {
		name = string(key)
	}
	a.Properties[name] = s.value()
}

func (s *scanner) extensions(a *directory.Account, sel *selection) {
	if s.next() == '{' {
		s.object(func(key []byte) {
			// Only what was asked for: Graph answers all 15.
			if name, ok := sel.names[string(key)]; ok {
				a.Properties[name] = s.value()
				return
			}
			s.skip()
		})
		return
	}
	s.literal() // null: none of them has a value
	for _, name := range sel.asked {
		if directory.IsExtensionAttribute(name) {
			a.Properties[name] = directory.Null
		}
	}
}

// licences takes a list of assigned licences; one that is null was not told, and nil.
func (s *scanner) licences() []directory.AssignedLicence {
	if s.next() != '[' {
		s.skip()
		return nil
	}
	list := []directory.AssignedLicence{}
	s.array(func() {
		if s.next() != '{' {
			s.skip()
			return
		}
		var l directory.AssignedLicence
		s.object(func(key []byte) {
			switch string(key) {
			case "skuId":
				l.SKU = directory.SKUID(s.optional())
			case "disabledPlans":
				names, _ := s.value().List()
				for _, n := range names {
					l.DisabledPlans = append(l.DisabledPlans, directory.ServicePlanID(n))
				}
			default:
				s.skip()
			}
		})
		list = append(list, l)
	})
	return list
}

// identities takes a list of identities; one that is null was not told, and nil.
func (s *scanner) identities() []directory.Identity {
	if s.next() != '[' {
		s.skip()
		return nil
	}
	list := []directory.Identity{}
	s.array(func() {
		if s.next() != '{' {
			s.skip()
			return
		}
		var i directory.Identity
		s.object(func(key []byte) {
			switch string(key) {
			case "signInType":
				i.SignInType = s.optional()
			case "issuer":
				i.Issuer = s.optional()
			case "issuerAssignedId":
				i.IssuerAssignedID = s.optional()
			default:
				s.skip()
			}
		})
		list = append(list, i)
	})
	return list
}

func (s *scanner) permanent() (yes bool) {
	s.object(func(key []byte) {
		if string(key) == "reason" {
			yes = s.optional() == "deleted"
			return
		}
		s.skip()
	})
	return yes
}

// value takes a string, a boolean, a list of strings or null.
func (s *scanner) value() directory.Value {
	switch s.next() {
	case '"':
		return directory.StringValue(string(s.text()))
	case '[':
		return s.strings()
	case '{':
		s.skip()
		return directory.Null
	}
	switch s.literal() {
	case 't':
		return directory.BoolValue(true)
	case 'f':
		return directory.BoolValue(false)
	}
	return directory.Null
}

// strings takes a list; elements that are no strings are left out.
func (s *scanner) strings() directory.Value {
	var list []string
	s.array(func() {
		if s.next() == '"' {
			list = append(list, string(s.text()))
			return
		}
		s.skip()
	})
	return directory.ListValue(list...)
}

// optional takes a string; anything else is "".
func (s *scanner) optional() string {
	if s.next() == '"' {
		return string(s.text())
	}
	s.skip()
	return ""
}

func (s *scanner) yes() bool {
	switch s.next() {
	case 't', 'f':
		return s.literal() == 't'
	}
	s.skip()
	return false
}

// time takes a timestamp; one that cannot be read is the zero time.
func (s *scanner) time() time.Time {
	at, err := time.Parse(time.RFC3339, s.optional())
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
