package directory

// FindingForm is a form of a finding of the doctor's: what its sentences are about besides
// its code, so that a program can say them in words of its own.
type FindingForm struct {
	Code string
	// Variant tells the forms of one code apart; "" of the usual one.
	Variant string
	// Values are the names of what is always told, Known of what is told where it is known.
	Values, Known []string
}

// The variants of findings.
const (
	VariantLost   = "lost"        // Microsoft refuses the authorisation for it
	VariantRounds = "rounds"      // in the readings of the tenant, not only in this check
	VariantOthers = "others"      // in further domains, counted together
	VariantGroups = "groups"      // of groups, members and licences
	VariantNewest = "newest"      // of the newest requests, since there are too many to look at all of a day
	VariantUnused = "next-unused" // the next one has been made, and is not used
)

// FindingForms are the forms of findings, by code; PROBLEMS.md lists them. Names that several
// have mean the same in each:
//
//	on, ends        a day (2026-11-30); since is a time
//	why, detail     a sentence in English that somebody else wrote: Microsoft's, a problem's
//	first           what to do before all else, such a sentence
//	users, groups   how many it concerns, and example one of them, with the detail about it
//	people          to how many Bindery has given the product
//	record          what is to stand in DNS
func FindingForms() []FindingForm {
	one := func(code, variant string, values ...string) FindingForm {
		return FindingForm{Code: code, Variant: variant, Values: values}
	}
	about := func(code, what string) FindingForm {
		return FindingForm{Code: code, Values: []string{what}, Known: []string{"example", "detail"}}
	}
	and := func(f FindingForm, known ...string) FindingForm {
		f.Known = known
		return f
	}
	forms := []FindingForm{
		and(one(CodeAuthorizationLost, "", "why"), "first"),
		and(one(CodeConsentRemoved, "", "why"), "first"),
		and(one(CodeAdminGone, VariantLost, "why"), "first"),
		and(one(CodeAdminDisabled, VariantLost, "why"), "first"),
		one(CodeAdminGone, "", "account"),
		one(CodeAdminDisabled, "", "account"),
		and(one(CodeAdminRoleLost, "", "account"), "roles"),
		one(CodeAdminRolesFewer, "", "account", "roles"),
		one(CodeTokenUnused, "", "days", "of", "ends"),
		one(CodeScopeMissing, "", "scope"),
		one(CodeChangesWait, "", "since"),
		and(one(CodeRunSlow, "", "since", "changes", "runId"), "why"),
		one(CodeRunHeld, "", "runs"),
		one(CodeNoGoodRun, "", "since"),
		one(CodePagingLoop, "", "why"),
		and(one(CodePagingLoop, VariantRounds, "why", "times", "since"), "first"),

		one(CodeGoDaddy, "", "signs"),
		one(CodeNoOwnDomain, ""),
		one(CodeDomainNotVerified, "", "domain"),
		and(one(CodeDomainFederated, "", "domain"), "host"),
		one(CodeDomainOffered, "", "domain"),
		one(CodeDomainLost, "", "domain", "on"),
		one(CodeDomainClaimedElsewhere, "", "domain", "connection"),
		one(CodeUsersOutsideDomains, "", "users", "domain"),
		one(CodeUsersOutsideDomains, VariantOthers, "users", "domains"),

		and(one(CodeMXMissing, "", "domain"), "record"),
		and(one(CodeMXGeneric, "", "domain", "hosts"), "record"),
		one(CodeMXSeveral, "", "domain", "providers"),
		one(CodeMXGoogle, "", "domain"),
		and(one(CodeMXOtherProvider, "", "domain", "providers"), "record"),
		one(CodeMXOfAnotherTenant, "", "domain", "hosts", "record"),
		one(CodeSPFMissing, "", "domain"),
		one(CodeSPFSeveral, "", "domain", "records"),
		one(CodeSPFWithoutMicrosoft, "", "domain", "spf"),
		one(CodeAutodiscoverMissing, "", "domain"),
		one(CodeAutodiscoverElsewhere, "", "domain", "host"),
		one(CodeDNSFailure, "", "domain", "type", "why"),

		about(CodeAddressClash, "users"),
		about(CodeAccountsSynced, "users"),
		about(CodeAccountsBlocked, "users"),
		about(CodeAccountsGuest, "users"),
		about(CodeAccountsExternal, "users"),
		about(CodeDataRefused, "users"),
		about(CodeValuesRefused, "users"),
		about(CodeValuesKeptOtherwise, "users"),
		about(CodeDirectoryDuplicates, "users"),
		one(CodeNotAllLookedAt, ""),
		one(CodeNotAllLookedAt, VariantGroups),

		about(CodeExportGone, "groups"),
		about(CodeExportReadOnly, "groups"),
		about(CodeGroupNamesake, "groups"),
		about(CodeMembersNotBound, "users"),

		about(CodeUsageLocationMissing, "users"),
		about(CodeSeatsMissing, "users"),
		and(one(CodeSeatsOnDisabled, "", "seats", "product"), "example"),
		and(one(CodeSeatsEmpty, "", "seats", "of", "product"), "people"),
		and(one(CodeSubscriptionEnding, "", "seats", "product"), "people"),
		and(one(CodeSubscriptionSuspended, "", "seats", "product", "status"), "people"),
		one(CodeGroupLicenceErrors, "", "members", "group"),

		one(CodeScimClientWaiting, "", "on"),
		one(CodeScimClientSilent, "", "on"),
		and(one(CodeScimClientPaused, ""), "on"),
		and(one(CodeScimRequestsRefused, "", "refused", "requests", "often", "answer"), "why", "passing"),
		and(one(CodeScimRequestsRefused, VariantNewest, "refused", "requests", "often", "answer"), "why", "passing"),
		one(CodeScimTokenEnding, "", "ends"),
		one(CodeScimTokenEnding, VariantUnused, "ends"),
		and(one(CodeScimTokenEnded, ""), "on"),
	}
	for i := range optionalScopes { // a setting or a rule wants it
		forms = append(forms, one(CodeScopeMissing, optionalScopes[i].scope, "scope"))
	}
	return forms
}
