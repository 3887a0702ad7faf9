package doctor

import "bindery/shared/directory"

func ofPeople(f *Facts) []Finding {
	p := &f.People
	var out []Finding
	add := func(list []Person, code string, s Severity, consequence, next string) {
		out = append(out, about(list, Finding{Code: code, Severity: s, Consequence: consequence, Next: next})...)
	}
	add(p.Clashes, directory.CodeAddressClash, Warning, "Their accounts cannot be made or adopted: somebody else in the tenant has the address.",
		"Take the address from the other, or change the user's; for a deleted account, restore it or delete it for good.")
	add(p.Synced, directory.CodeAccountsSynced, Info, "Microsoft refuses changes to them: Active Directory owns them. Their bindings are read-only.",
		"Change them in that Active Directory; bind the others.")
	add(p.Blocked, directory.CodeAccountsBlocked, Info, "Adopting a blocked account is a conflict, which an admin decides.",
		"Unblock the accounts of people who work here; leave the others unbound.")
	add(p.Guests, directory.CodeAccountsGuest, Warning, "A guest's account is not adopted.", "Remove the guest, or give the user another address.")
	add(p.External, directory.CodeAccountsExternal, Warning, "An external member's account is neither adopted nor written: its person signs in at another tenant or provider.",
		"Bind the user through the connection of its own tenant, or have the account converted to an internal one.")
	add(p.Refused, directory.CodeDataRefused, Warning, "Microsoft refuses a value of theirs: the others are written, but no account is created without an address and a displayName.",
		"Correct the users; each problem says what.")
	add(p.NotTaken, directory.CodeValuesRefused, Warning, "Microsoft refused single values when they were written; they are not sent again until they change. The rest of these users is in sync.",
		"Correct the values, or switch their export off; once the cause is gone, retry the binding.")
	add(p.Kept, directory.CodeValuesKeptOtherwise, Info, "Microsoft keeps these values in another form, or does not keep them; that counts as agreed and is not written again.",
		"Nothing has to be done. Where the values matter, look what in Microsoft 365 sets them.")
	add(p.Twice, directory.CodeDirectoryDuplicates, Warning, "Two users share a value that tells people apart: one of them may get the other's account or mail.", "Correct one of the two.")
	if p.More {
		out = append(out, Finding{Code: directory.CodeNotAllLookedAt, Severity: Info, Evidence: "The directory or the tenant is too large for one check.",
			Consequence: "Only a part of the users was compared with the tenant's accounts.", Next: "A dry run looks at everybody: POST /v1/connections/{id}/runs with dryRun."})
	}
	return out
}
