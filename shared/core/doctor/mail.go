package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/directory"
)

// microsoftMX are the names that Microsoft's mail has, genericMX those of them
// from before 2013, which lead to Microsoft and not to the tenant (G 6).
var (
	microsoftMX = []string{"protection.outlook.com", "mx.microsoft", "mail.protection.office365.us", "mail.protection.partner.outlook.cn"}
	genericMX   = []string{"messaging.microsoft.com", "eo.outlook.com", "frontbridge.com", "bigfish.com"}
)

// otherMX are providers that are known by name.
var otherMX = []struct{ suffix, name string }{
	{"google.com", "Google"}, {"googlemail.com", "Google"}, {"pphosted.com", "Proofpoint"}, {"mimecast.com", "Mimecast"},
	{"zoho.com", "Zoho"}, {"secureserver.net", "GoDaddy"}, {"messagelabs.com", "Broadcom"}, {"barracudanetworks.com", "Barracuda"},
}

// mailHost is where an MX record leads.
type mailHost struct {
	provider string // Microsoft, Google … or the host itself
	own      bool   // named after the domain, as Microsoft names the hosts of a tenant
	generic  bool
}

// classMX tells where a host leads. expected is the host that Microsoft asks for,
// if that is known: a domain with hyphens has a label there that does not follow
// from its name (a-b.example is ab-example0i), and the same one in every form.
func classMX(host, domain, expected string) mailHost {
	host = fold(host)
	is := func(suffix string) bool { return within(host, suffix) }
	first, _, _ := strings.Cut(host, ".")
	label, _, _ := strings.Cut(fold(expected), ".")
	own := first == strings.ReplaceAll(fold(domain), ".", "-") || first == label
	switch {
	case slices.ContainsFunc(microsoftMX, is):
		return mailHost{provider: microsoft, own: own}
	case slices.ContainsFunc(genericMX, is):
		return mailHost{provider: microsoft, own: own, generic: !own}
	}
	for _, o := range otherMX {
		if is(o.suffix) {
			return mailHost{provider: o.name}
		}
	}
	return mailHost{provider: host}
}

const microsoft = "Microsoft"

func ofMail(f *Facts) []Finding {
	var out []Finding
	for i := range f.Domains {
		d := &f.Domains[i]
		if d.DNS == nil || !d.verified() {
			continue
		}
		out = append(out, ofMX(d)...)
		out = append(out, ofSPF(d)...)
		out = append(out, ofAutodiscover(d)...)
		for _, what := range slices.Sorted(maps.Keys(d.DNS.Failed)) {
			out = append(out, Finding{Code: directory.CodeDNSFailure, Values: values("domain", d.Name, "type", what, "why", d.DNS.Failed[what]), Severity: Info, Subject: d.Name, Evidence: "The " + what + " of " + d.Name + " could not be looked up: " + d.DNS.Failed[what],
				Consequence: "It is not known whether mail reaches the tenant.", Next: "Look at the domain's name servers; the check is repeated daily."})
		}
	}
	return out
}

func ofMX(d *DomainIs) []Finding {
	if d.DNS.Failed["MX"] != "" {
		return nil
	}
	expected := d.expected("MX", d.Name)
	if len(d.DNS.MX) == 0 {
		if !d.Email && d.Bound == 0 {
			return nil
		}
		return []Finding{{Code: directory.CodeMXMissing, Values: values("domain", d.Name, "record", expected), Severity: Warning, Subject: d.Name, Evidence: d.Name + " has no MX record.", Consequence: "Mail to its addresses does not arrive.",
			Next: "Set the MX record that Microsoft asks for: " + orAdminCenter(expected) + "."}}
	}
	var ours, foreign, old []string
	named := false
	for _, host := range d.DNS.MX {
		switch is := classMX(host, d.Name, expected); {
		case is.generic:
			old = append(old, host)
		case is.provider == microsoft:
			ours = append(ours, host)
			named = named || is.own
		default:
			foreign = append(foreign, is.provider)
		}
	}
	slices.Sort(foreign)
	foreign = slices.Compact(foreign)
	google := slices.Contains(foreign, "Google")
	var out []Finding
	if len(old) > 0 {
		out = append(out, Finding{Code: directory.CodeMXGeneric, Values: values("domain", d.Name, "hosts", strings.Join(old, ", "), "record", expected), Severity: Critical, Subject: d.Name, Evidence: "The MX record is " + strings.Join(old, ", ") + ", a name from before 2013.",
			Consequence: "Mail is delayed or lost: the name leads to Microsoft and not to this tenant.", Next: "Replace it by " + orAdminCenter(expected) + "."})
	}
	switch {
	case len(foreign) > 0 && len(ours) > 0:
		out = append(out, Finding{Code: directory.CodeMXSeveral, Values: values("domain", d.Name, "providers", strings.Join(foreign, ", ")), Severity: Warning, Subject: d.Name, Evidence: "Mail goes to Microsoft and to " + strings.Join(foreign, ", ") + ".",
			Consequence: "Which mailbox a mail reaches is chance, unless one of the two passes it on.", Next: "Keep the MX records of one provider."})
	case google:
		out = append(out, Finding{Code: directory.CodeMXGoogle, Values: values("domain", d.Name), Severity: severity(d.Bound > 0, Warning), Subject: d.Name, Users: d.Bound, Examples: d.Examples,
			Evidence:    "Mail of " + d.Name + " goes to Google, and the domain is a verified one of this tenant as well.",
			Consequence: "Both providers claim the domain: people have two mailboxes, and mail that is sent within Microsoft 365 does not reach the Google one.",
			Next:        "Give Microsoft 365 a domain of its own and map it by domainMap, or move the mail."})
	case len(foreign) > 0:
		out = append(out, Finding{Code: directory.CodeMXOtherProvider, Values: values("domain", d.Name, "providers", strings.Join(foreign, ", "), "record", expected), Severity: severity(d.Bound > 0, Warning), Subject: d.Name, Evidence: "Mail of " + d.Name + " goes to " + strings.Join(foreign, ", ") + ".",
			Consequence: "It reaches Microsoft 365 only if that provider passes it on.", Next: "Leave it so if it is a mail filter; else set " + orAdminCenter(expected) + "."})
	case len(ours) > 0 && !named && expected != "":
		out = append(out, Finding{Code: directory.CodeMXOfAnotherTenant, Values: values("domain", d.Name, "hosts", strings.Join(ours, ", "), "record", expected), Severity: Critical, Subject: d.Name, Evidence: "The MX record is " + strings.Join(ours, ", ") + "; Microsoft expects " + expected + ".",
			Consequence: "Mail goes to another tenant or is refused.", Next: "Set " + expected + "."})
	}
	return out
}

func ofSPF(d *DomainIs) []Finding {
	if d.DNS.Failed["TXT"] != "" || !d.Email && d.Bound == 0 {
		return nil
	}
	var spf []string
	for _, t := range d.DNS.TXT {
		if isSPF(t) {
			spf = append(spf, strings.ToLower(t))
		}
	}
	switch {
	case len(spf) == 0:
		return []Finding{{Code: directory.CodeSPFMissing, Values: values("domain", d.Name), Severity: Warning, Subject: d.Name, Evidence: d.Name + " has no SPF record.", Consequence: "Mail of its people is taken for spam.",
			Next: "Set a TXT record: v=spf1 include:spf.protection.outlook.com -all."}}
	case len(spf) > 1:
		return []Finding{{Code: directory.CodeSPFSeveral, Values: values("domain", d.Name, "records", len(spf)), Severity: Warning, Subject: d.Name, Evidence: fmt.Sprintf("%s has %d SPF records.", d.Name, len(spf)), Consequence: "Receivers treat that as an error (RFC 7208, 4.5).",
			Next: "Make one record of them."}}
	case !namesMicrosoft(spf[0], d.DNS.SPFIncludes) && d.DNS.Failed["SPF"] == "":
		return []Finding{{Code: directory.CodeSPFWithoutMicrosoft, Values: values("domain", d.Name, "spf", spf[0]), Severity: Warning, Subject: d.Name, Evidence: "The SPF record is: " + spf[0], Consequence: "Mail that Microsoft 365 sends for " + d.Name + " is taken for spam.",
			Next: "Add include:spf.protection.outlook.com."}}
	}
	return nil
}

// microsoftSPF are the records of Microsoft's mail, of all its clouds.
var microsoftSPF = []string{"spf.protection.outlook.com", "spf.protection.office365.us", "spf.protection.partner.outlook.cn"}

// namesMicrosoft reports whether an SPF record names Microsoft's, itself or by
// what it includes, or may: where another record takes over, and where a macro
// says which one is included, that cannot be told.
func namesMicrosoft(spf string, includes []string) bool {
	return strings.Contains(spf, "redirect=") ||
		slices.ContainsFunc(microsoftSPF, func(m string) bool { return strings.Contains(spf, m) || slices.Contains(includes, m) }) ||
		slices.ContainsFunc(includes, func(name string) bool { return strings.Contains(name, "%") })
}

// isSPF tells an SPF record from other texts (RFC 7208, 4.5).
func isSPF(text string) bool {
	l := strings.ToLower(text)
	return l == "v=spf1" || strings.HasPrefix(l, "v=spf1 ")
}

func ofAutodiscover(d *DomainIs) []Finding {
	if d.DNS.Failed["CNAME"] != "" || !d.Email && d.Bound == 0 {
		return nil
	}
	switch host := fold(d.DNS.Autodiscover); {
	case host == "":
		return []Finding{{Code: directory.CodeAutodiscoverMissing, Values: values("domain", d.Name), Severity: Info, Subject: d.Name, Evidence: "autodiscover." + d.Name + " is not there.", Consequence: "Outlook does not find people's mailboxes by itself.",
			Next: "Set a CNAME record to autodiscover.outlook.com."}}
	case !directory.MicrosoftAutodiscover(host):
		return []Finding{{Code: directory.CodeAutodiscoverElsewhere, Values: values("domain", d.Name, "host", host), Severity: Warning, Subject: d.Name, Evidence: "autodiscover." + d.Name + " leads to " + host + ".", Consequence: "Outlook looks for people's mailboxes there.",
			Next: "Set a CNAME record to autodiscover.outlook.com, unless mailboxes are there still."}}
	}
	return nil
}

func (d *DomainIs) expected(kind, label string) string {
	for _, r := range d.Expected {
		if r.Type == kind && strings.EqualFold(r.Label, label) {
			return r.Value
		}
	}
	return ""
}

func orAdminCenter(record string) string {
	if record == "" {
		return "the record that the Microsoft 365 admin center names"
	}
	return record
}

func fold(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }
