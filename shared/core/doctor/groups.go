package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bindery/shared/directory"
)

func ofGroups(f *Facts) []Finding {
	g := &f.Groups
	var out []Finding
	add := func(list []Person, code string, s Severity, consequence, next string) {
		out = append(out, about(list, Finding{Code: code, Severity: s, Consequence: consequence, Next: next})...)
	}
	add(g.Gone, directory.CodeExportGone, Warning, "Nobody gets what these groups give access to; nothing is written to their members.",
		"Restore the tenant group in Entra while it is in the recycle bin, or set onSoftDeleted to restore, or end the use and export the group anew.")
	add(g.ReadOnly, directory.CodeExportReadOnly, Warning, "Bindery never writes to such a group: who joins or leaves ours does not follow there.",
		"Take back in Entra what made it so, or end the use and export the group as one of its own.")
	add(g.Namesakes, directory.CodeGroupNamesake, Warning, "Two groups of one name are mixed up: people are given access by the one that is not kept in step.",
		"Where it is the same group, end the use and put it anew with export.adopt; otherwise rename one of the two.")
	add(g.NotBound, directory.CodeMembersNotBound, Info, "They are no members of the tenant groups, and get nothing by them.",
		"Bind them, or have the use of the group select its members.")
	if g.More {
		out = append(out, Finding{Code: directory.CodeNotAllLookedAt, Variant: directory.VariantGroups, Severity: Info, Subject: "groups", Evidence: "There are more groups, members or licences than one check looks at.",
			Consequence: "Only a part of them was looked at.", Next: "A dry run looks at everything: POST /v1/connections/{id}/runs with dryRun and full. GET …/problems counts all."})
	}
	return out
}

func ofLicences(f *Facts) []Finding {
	l := &f.Licences
	var out []Finding
	out = append(out, about(l.NoLocation, Finding{Code: directory.CodeUsageLocationMissing, Severity: Warning,
		Consequence: "Microsoft gives no licence to an account without a country, or with one where the product is not sold.",
		Next:        "Give the users a usageLocation and export it, or set defaultUsageLocation."})...)
	out = append(out, about(l.Waiting, Finding{Code: directory.CodeSeatsMissing, Severity: Warning, Consequence: "They have no mailbox and no other service of the product until a seat comes free.",
		Next: "Buy seats, or free those of accounts that need none: seats-on-disabled-accounts names ours. Who waits gets one by itself."})...)
	for i := range l.Products {
		out = append(out, ofProduct(f, &l.Products[i])...)
	}
	for _, sku := range slices.Sorted(maps.Keys(l.OnDisabled)) {
		s := Info
		if len(l.Waiting) > 0 {
			s = Warning
		}
		out = append(out, about(l.OnDisabled[sku], Finding{Code: directory.CodeSeatsOnDisabled, Values: values("seats", len(l.OnDisabled[sku]), "product", l.product(sku), "example", l.OnDisabled[sku][0].Name), Severity: s, Subject: l.product(sku),
			Evidence:    fmt.Sprintf("%d seats of %s that Bindery gave are held by people who are suspended or deleted, for example %s.", len(l.OnDisabled[sku]), l.product(sku), nameOf(l.OnDisabled[sku][0])),
			Consequence: "They are paid for and used by nobody.",
			Next:        "Take these people out of the groups that license them, once their mailboxes are not needed any more."})...)
	}
	for i := range l.Failing {
		g := &l.Failing[i]
		out = append(out, Finding{Code: directory.CodeGroupLicenceErrors, Values: values("members", g.Members, "group", g.Name), Severity: Warning, Subject: g.Name, Users: g.Members,
			Evidence:    fmt.Sprintf("Microsoft could not give %d members of the tenant group %q all that it licenses them for.", g.Members, g.Name),
			Consequence: "Where one product of a group cannot be given to a member, the member gets none of the group's.",
			Next:        "Look at the group's licences in the Microsoft 365 admin center, free seats or correct what it names there, then reprocess the group: Microsoft does not try again at once."})
	}
	return out
}

// ofProduct finds what is wrong with what the tenant has bought of a product.
func ofProduct(f *Facts, p *directory.LicenceSKU) []Finding {
	if p.AppliesTo != directory.AppliesToUser {
		return nil
	}
	ours := f.Licences.Ours[p.ID]
	who, name := "", directory.ProductName(p.PartNumber)
	if ours > 0 {
		who = fmt.Sprintf(" Bindery has given it to %d people.", ours)
	}
	find := func(code string, with map[string]any, s Severity, evidence, consequence, next string) []Finding {
		with["product"] = name
		if ours > 0 {
			with["people"] = ours
		}
		return []Finding{{Code: code, Values: with, Severity: s, Subject: p.PartNumber, Users: ours, Evidence: evidence + who, Consequence: consequence, Next: next}}
	}
	const renew = "Renew the subscription in the Microsoft 365 admin center, or move people to another product."
	switch lost := p.Units.Suspended + p.Units.LockedOut; {
	case p.Status == directory.SKUWarning || p.Status == directory.SKUEnabled && p.Units.Warning > 0:
		return find(directory.CodeSubscriptionEnding, values("seats", p.Units.Warning), Warning, fmt.Sprintf("%d seats of %s are in their grace: the subscription has ended and was not renewed.", p.Units.Warning, name),
			"After the grace Microsoft suspends the product, and later deletes what people have in it.", renew)
	case p.Status != directory.SKUEnabled || lost > 0:
		s := Warning
		if ours > 0 && p.Status != directory.SKUEnabled {
			s = Critical
		}
		return find(directory.CodeSubscriptionSuspended, values("seats", lost, "status", strings.ToLower(p.Status)), s, fmt.Sprintf("%s is %s; %d of its seats are suspended or locked.", name, strings.ToLower(p.Status), lost),
			"Nobody can be given it; who has it loses its services, and later what is in them.", renew)
	}
	if free := p.Free(); free > 0 {
		return find(directory.CodeSeatsEmpty, values("seats", free, "of", p.Units.Enabled+p.Units.Warning), Info, fmt.Sprintf("%d of %d seats of %s are not used.", free, p.Units.Enabled+p.Units.Warning, name),
			"They are paid for and used by nobody.", "License people who need them, or buy fewer.")
	}
	return nil
}

// nameOf is what people call somebody, as far as it is known.
func nameOf(p Person) string {
	if p.Name == "" {
		return "somebody who is not there any more"
	}
	return p.Name
}

// product is what people call a product.
func (l *LicenceFacts) product(sku directory.SKUID) string {
	return directory.ProductNameOf(l.Products, sku)
}
