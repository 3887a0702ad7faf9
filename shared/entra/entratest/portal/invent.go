package portal

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"bindery/shared/entra/entratest/state"
)

// Parts of invented people. The names bring accents, apostrophes, hyphens, blanks,
// and scripts that have no ASCII form.
var (
	givenNames = []string{"Anna", "Élodie", "Jürg", "Seán", "Zoë", "María José", "Nils", "Ayşe", "Søren", "Łukasz", "Chloé", "D'Arcy",
		"Mei", "李", "Олена", "José", "Ingrid", "Noah", "Fatima", "Björn", "Siân", "Renée", "Tomáš", "Giulia", "Hans-Peter", "Aïcha"}
	surnames = []string{"O'Brien", "Müller", "García Márquez", "van der Berg", "Nuñez", "Øverland", "Þórsson", "D'Angelo", "Smith-Jones", "Lefèvre",
		"Kowalska", "Nguyễn", "小林", "Шевченко", "Özdemir", "Dvořák", "Rossi", "Meier", "Tan", "MacLeod", "ßtraub", "De la Cruz", "Žižek", "Keller"}
	departments = []string{"Sales", "Finance", "R&D", "IT ", "Human Resources", "Vertrieb / Süd", "Legal", "Opérations"}
	jobTitles   = []string{"Engineer", "Senior  Engineer", "Account Manager", "Buchhalter/in", "CTO", "Assistant", "Directeur général"}
	cities      = []string{"Zürich", "Genève", "São Paulo", "København", "Cork", "Kraków", "Bern", "London"}
	countries   = []string{"CH", "DE", "FR", "IE", "BR", "DK", "PL", "GB"}
	languages   = []string{"en-US", "de-CH", "fr-FR", "da-DK"}
)

// invent adds accounts that look like those of a grown tenant: values missing or
// written in many ways, some guests, some blocked, some from on-premises.
func (b *builder) invent(count int, seed int64) error {
	var names []string
	for _, d := range b.draft.Domains {
		if d.Verified() && !d.Federated() {
			names = append(names, d.Name)
		}
	}
	if count > 0 && len(names) == 0 {
		return fmt.Errorf("accounts can only be invented in a tenant with a managed domain")
	}
	// The domain is part of the seed, so that no two tenants share an id.
	h := fnv.New64a()
	h.Write([]byte(strings.Join(names, " ")))
	r := rand.New(rand.NewPCG(uint64(seed), h.Sum64()))
	for i := range count {
		if _, err := b.account(person(r, i, names)); err != nil {
			return fmt.Errorf("invent account %d: %w", i, err)
		}
	}
	return nil
}

// person is one invented account.
func person(r *rand.Rand, n int, domains []string) map[string]any {
	given, surname := pick(r, givenNames), pick(r, surnames)
	local := fmt.Sprintf("%s.%s.%d", plainLetters(given), plainLetters(surname), n)
	domain := domains[0]
	if r.IntN(10) == 0 {
		domain = pick(r, domains)
	}
	created := time.Date(2015+r.IntN(8), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), 0, time.UTC)
	upn := local + "@" + domain
	p := map[string]any{
		"id": guid(r), "userPrincipalName": upn, "displayName": given + " " + surname, "givenName": given, "surname": surname,
		"mailNickname": local, "accountEnabled": r.IntN(20) != 0, "createdDateTime": state.Stamp(created),
		"department": maybe(r, pick(r, departments)), "jobTitle": maybe(r, pick(r, jobTitles)), "city": maybe(r, pick(r, cities)),
		"usageLocation": maybe(r, pick(r, countries)), "preferredLanguage": maybe(r, pick(r, languages)),
		"employeeId": maybe(r, fmt.Sprintf("%06d", n)), "companyName": maybe(r, "Contoso Group"),
		"mobilePhone": maybe(r, phone(r)),
	}
	if r.IntN(2) == 0 {
		p["businessPhones"] = []any{phone(r)}
	}
	if r.IntN(30) == 0 {
		delete(p, "surname")
	}
	if r.IntN(5) == 0 {
		p["otherMails"] = []any{strings.ToUpper(local[:1]) + local[1:] + "@Private.Example"}
	}
	if r.IntN(6) == 0 {
		p["onPremisesExtensionAttributes"] = map[string]any{"extensionAttribute1": fmt.Sprintf("CC-%d", r.IntN(90))}
	}
	mailbox(r, p, local, domain, domains)
	switch r.IntN(25) {
	case 0:
		guest(p, local, n, domains)
	case 1:
		p["onPremisesSyncEnabled"] = true
		p["onPremisesImmutableId"] = fmt.Sprintf("aW1tdXRhYmxl%08d==", n)
		p["onPremisesSamAccountName"] = local[:min(20, len(local))]
		p["onPremisesDomainName"] = "corp.example"
	}
	return p
}

// mailbox gives most accounts addresses, in the mixed case that people type.
func mailbox(r *rand.Rand, p map[string]any, local, domain string, domains []string) {
	if r.IntN(5) == 0 {
		return
	}
	address := local + "@" + domain
	if r.IntN(3) == 0 {
		address = strings.ToUpper(local[:1]) + local[1:] + "@" + strings.ToUpper(domain[:1]) + domain[1:]
	}
	p["mail"] = address
	proxies := []any{"SMTP:" + address}
	if r.IntN(2) == 0 {
		proxies = append(proxies, "smtp:"+local+".alias@"+domains[len(domains)-1])
	}
	p["proxyAddresses"] = proxies
}

// guest turns an account into one that was invited.
func guest(p map[string]any, local string, n int, domains []string) {
	p["userType"] = "Guest"
	p["externalUserState"] = "Accepted"
	p["creationType"] = "Invitation"
	p["userPrincipalName"] = fmt.Sprintf("%s_partner.example#EXT#@%s", local, domains[len(domains)-1])
	p["mail"] = fmt.Sprintf("%s@partner.example", local)
	p["proxyAddresses"] = []any{"SMTP:" + p["mail"].(string)}
	p["mailNickname"] = fmt.Sprintf("guest%d", n)
}

// phone writes a number in one of the notations that directories contain.
func phone(r *rand.Rand) string {
	a, b, c := r.IntN(90)+10, r.IntN(900)+100, r.IntN(90)+10
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("+41 %d %d %d %d", a, b, c, c)
	case 1:
		return fmt.Sprintf("+41%d%d%d%d", a, b, c, c)
	case 2:
		return fmt.Sprintf("0%d / %d %d %d", a, b, c, c)
	case 3:
		return fmt.Sprintf("+1 (%d) %d-%d%d", b, b, c, c)
	}
	return fmt.Sprintf("0041 (0)%d-%d.%d.%d ext. %d", a, b, c, c, a)
}

func pick(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// maybe leaves out one value in four.
func maybe(r *rand.Rand, v string) any {
	if r.IntN(4) == 0 {
		return nil
	}
	return v
}

// plainLetters is a name as it stands in an address.
func plainLetters(s string) string {
	fold := strings.NewReplacer("é", "e", "è", "e", "É", "e", "ë", "e", "ü", "u", "ö", "o", "ó", "o", "á", "a", "ñ", "n", "í", "i", "ø", "o", "Ø", "o",
		"ş", "s", "Ł", "l", "š", "s", "ř", "r", "ž", "z", "Ž", "z", "ß", "ss", "â", "a", "ï", "i", "Ö", "o", "Þ", "th", " ", "", "'", "'")
	out := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '\'' || c == '-' {
			return c
		}
		return -1
	}, fold.Replace(s))
	if out == "" {
		out = "x"
	}
	return strings.ToLower(out)
}

// guid is an id of the generator, so that a seeded tenant is the same each time.
func guid(r *rand.Rand) string {
	hi, lo := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(hi>>32), uint16(hi>>16), hi&0xfff, 0x8000|lo>>50&0x3fff, lo&0xffffffffffff)
}
