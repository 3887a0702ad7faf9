package main

import (
	"slices"

	"bindery/shared/entra/entratest"
	"bindery/shared/entra/entratest/skus"
)

// licence makes a group whose members are licensed.
func (w *rowWorld) license(group string, rules ...object) {
	w.Helper()
	w.use(group, object{"licences": rules})
}

// licensed makes a group whose members have a licence.
func (w *rowWorld) licensed(group, sku string, members ...string) {
	w.Helper()
	w.group(group, members...)
	w.license(group, object{"sku": sku})
	for _, m := range members {
		w.Wait(m+" is not licensed", func() bool { return w.holds(m) })
	}
	w.quiet()
}

// holds tells whether an account has any licence.
func (w *rowWorld) holds(name string) bool {
	w.Helper()
	list, _ := w.Account(w.tenant, w.account(name))["assignedLicenses"].([]any)
	return len(list) > 0
}

// assign has an admin of the tenant give or take licences.
func (w *rowWorld) assign(to string, r entratest.LicenceRequest) {
	w.Helper()
	if err := w.Stack.Sim.AssignLicences(w.tenant, "admin@"+w.domain, w.account(to), r); err != nil {
		w.Error(err)
	}
}

func gives(ids ...string) entratest.LicenceRequest {
	var r entratest.LicenceRequest
	for _, id := range ids {
		r.Add = append(r.Add, entratest.LicenceWish{SKUID: id})
	}
	return r
}

func takes(ids ...string) entratest.LicenceRequest { return entratest.LicenceRequest{Remove: ids} }

// service says how the tenant's licence service behaves.
func (w *rowWorld) service(s entratest.LicenceService) {
	w.Helper()
	if err := w.Stack.Sim.SetLicenceService(w.tenant, s); err != nil {
		w.Fatal(err)
	}
}

// groupGives has a group of the tenant license its members, and waits until that has
// come to one of them, or to an error.
func (w *rowWorld) groupGives(group, member string) {
	w.Helper()
	w.service(entratest.LicenceService{ProcessingSeconds: 0.01})
	w.assign(group, gives(skus.SPEE3))
	w.Wait("the group's licences do not reach its members", func() bool {
		states, _ := w.Account(w.tenant, w.account(member))["licenseAssignmentStates"].([]any)
		return slices.ContainsFunc(states, func(s any) bool { return s.(map[string]any)["assignedByGroup"] != nil })
	})
}

// setting changes the connection's settings.
func (w *rowWorld) setting(settings object) {
	w.Helper()
	w.Must(w.API.Patch(w.Context(), "/v1/connections/"+w.conn, object{"settings": settings}))
}

// The rows of licences.
var rowsOfLicences = []row{
	{
		name:  "33 no seat is left",
		scene: func(w *rowWorld) { w.people("ann", "ben"); w.group("Sales", "ann", "ben"); w.buy("SPE_E3", 2) },
		fact:  func(w *rowWorld) { w.buy("SPE_E3", 1) },
		act:   func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want:  rowEnd{told: []string{"licence-add applied", "licence pending waiting-for-seat"}, wrote: []string{"license ann"}},
		miss:  rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann", "license ben"}},
	},
	{
		name:  "33 somebody takes the last seat at the same moment",
		scene: func(w *rowWorld) { w.people("ann", "ben"); w.group("Sales", "ann"); w.buy("SPE_E3", 1) },
		fact: func(w *rowWorld) {
			w.setting(object{"defaultUsageLocation": "DE"})
			if err := w.Stack.Sim.EditAccount(w.tenant, w.account("ben"), map[string]any{"usageLocation": "DE"}); err != nil {
				w.Fatal(err)
			}
			w.meanwhile(func() { w.assign("ben", gives(skus.SPEE3)) }, "/assignLicense", w.userID("ann"))
		},
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add outdated waiting-for-seat", "licence pending waiting-for-seat"}, raw: "Request_BadRequest Subscription with SKU"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "34 an account without a place of use",
		scene: func(w *rowWorld) { w.group("Sales"); w.buy("SPE_E3", 1) },
		fact:  func(w *rowWorld) { w.setting(object{"defaultUsageLocation": ""}) },
		act: func(w *rowWorld) {
			w.people("ann")
			w.join("Sales", "ann")
			w.license("Sales", object{"sku": "SPE_E3"})
		},
		want: rowEnd{told: []string{"create applied", "licence refused license-usage-location"}, wrote: []string{"create ann"}},
		miss: rowEnd{told: []string{"create applied", "licence-add applied"}, wrote: []string{"create ann", "license ann"}},
	},
	{
		name:  "34 a service that is not sold where the account is used",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann") },
		fact:  func(w *rowWorld) { w.rare("DE") },
		act: func(w *rowWorld) {
			if _, err := w.Stack.Sim.Licences(w.tenant); err == nil {
				w.rareElsewhere()
			}
			w.license("Sales", object{"sku": "RARE"})
		},
		want: rowEnd{told: []string{"licence-add outdated license-usage-location", "licence pending license-usage-location"}, raw: "Request_BadRequest License assignment cannot be done for user with invalid usage location"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name: "35 a service that needs another one",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.buy("MCOEV", 1)
			w.buy("STANDARDPACK", 1)
		},
		act: func(w *rowWorld) {
			w.license("Sales", w.without(object{"sku": "MCOEV"}, object{"sku": "STANDARDPACK"})...)
		},
		fact: func(w *rowWorld) { w.ids["without"] = "yes" },
		want: rowEnd{told: []string{"licence-add failed license-dependency", "licence failed license-dependency"}, raw: "Request_BadRequest License assignment failed because service plan"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name: "36 a service beside which it cannot be",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.buy("SPE_E3", 1)
			w.buy("STANDARDPACK", 1)
			w.placed("ann")
		},
		fact: func(w *rowWorld) { w.assign("ann", gives(skus.StandardPack)) },
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add failed license-exclusive", "licence failed license-exclusive"}, raw: "Request_BadRequest License assignment failed because service plans"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "37 a conflict in other words",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("SPE_E3", 1) },
		fact: func(w *rowWorld) {
			w.says("POST", "/assignLicense", 400, "Request_BadRequest", "License assignment failed because service plan SHAREPOINTENTERPRISE conflicts with service plan SHAREPOINTSTANDARD.")
		},
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add failed license-exclusive", "licence failed license-exclusive"}, raw: "Request_BadRequest License assignment failed because service plan"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "38 a licence that comes by a group",
		scene: func(w *rowWorld) { w.buy("SPE_E3", 3); w.people("ann"); w.licensed("Sales", "SPE_E3", "ann") },
		fact: func(w *rowWorld) {
			w.theirs(entratest.SecurityGroup, "Theirs", "ann")
			w.groupGives("Theirs", "ann")
			w.assign("ann", takes(skus.SPEE3))
		},
		act:  func(w *rowWorld) { w.leave("Sales", "ann") },
		want: rowEnd{told: []string{"licence-remove applied"}},
		miss: rowEnd{told: []string{"licence-remove applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "38 a licence that comes by a group, says Microsoft once",
		scene: func(w *rowWorld) { w.buy("SPE_E3", 3); w.people("ann"); w.licensed("Sales", "SPE_E3", "ann") },
		fact: func(w *rowWorld) {
			w.says("POST", "/assignLicense", 400, "Request_BadRequest", "User license is inherited from a group membership and it cannot be removed directly from the user.")
		},
		act:  func(w *rowWorld) { w.leave("Sales", "ann") },
		want: rowEnd{told: []string{"licence-remove applied"}, wrote: []string{"license ann"}}, // it is looked at, and is not so
		miss: rowEnd{told: []string{"licence-remove applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "39 somebody takes the licence at the same moment",
		scene: func(w *rowWorld) { w.buy("SPE_E3", 3); w.people("ann"); w.licensed("Sales", "SPE_E3", "ann") },
		fact: func(w *rowWorld) {
			w.meanwhile(func() { w.assign("ann", takes(skus.SPEE3)) }, "/assignLicense", w.userID("ann"))
		},
		act:  func(w *rowWorld) { w.leave("Sales", "ann") },
		want: rowEnd{told: []string{"licence-remove applied"}},
		miss: rowEnd{told: []string{"licence-remove applied"}, wrote: []string{"license ann"}},
	},
	{
		name: "40 a product of the whole organisation",
		scene: func(w *rowWorld) {
			w.people("ann")
			w.group("Sales", "ann")
			w.buy("CDS_DB_CAPACITY", 5)
			w.buy("SPE_E3", 5)
		},
		fact: func(w *rowWorld) { w.ids["sku"] = "CDS_DB_CAPACITY" },
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": w.or("sku", "SPE_E3")}) },
		want: rowEnd{told: []string{"licence refused license-not-assignable"}},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "40 the subscription ends at the same moment",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("SPE_E3", 5) },
		fact: func(w *rowWorld) {
			w.meanwhile(func() {
				for range 3 {
					if err := w.Stack.Sim.ExpireLicence(w.tenant, "SPE_E3"); err != nil {
						w.Error(err)
					}
				}
			}, "/assignLicense", w.userID("ann"))
		},
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add failed license-not-assignable", "licence failed license-not-assignable"}, raw: "Request_BadRequest License " + skus.SPEE3},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "41 a product by a name that the tenant does not know",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("SPE_E3", 5) },
		fact:  func(w *rowWorld) { w.ids["sku"] = "SPE_E4" },
		act:   func(w *rowWorld) { w.license("Sales", object{"sku": w.or("sku", "SPE_E3")}) },
		want:  rowEnd{told: []string{"licence refused license-not-in-tenant"}},
		miss:  rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "41 a product that is not named by its ID",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("SPE_E3", 5) },
		fact: func(w *rowWorld) {
			w.says("POST", "/assignLicense", 400, "Request_BadRequest", "Cannot convert a primitive value to the expected type 'Edm.Guid'. See the inner exception for more details.")
		},
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add failed request-form", "licence failed request-form"}, raw: "Request_BadRequest Cannot convert a primitive value"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "42 a call without both lists",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("SPE_E3", 5) },
		fact: func(w *rowWorld) {
			w.says("POST", "/assignLicense", 400, "Request_BadRequest", "One or more parameters of the operation 'assignLicense' are missing from the request payload. The missing parameters are: removeLicenses.")
		},
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add failed request-form", "licence failed request-form"}, raw: "Request_BadRequest One or more parameters"},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name:  "43 the tenant changes other licences",
		scene: func(w *rowWorld) { w.people("ann", "ben"); w.group("Sales", "ann", "ben"); w.buy("SPE_E3", 5) },
		fact: func(w *rowWorld) {
			w.fault(entratest.Fault{Kind: "status", Method: "POST", Path: "/assignLicense", Times: 1, Status: 409, Code: "Directory_ConcurrencyViolation",
				Message: "Error due to concurrent requests being made to the tenant. Please wait briefly and retry."})
		},
		act:  func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann", "license ben"}},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann", "license ben"}},
	},
	{
		name:  "44 a service that the product does not have",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("STANDARDPACK", 5) },
		fact:  func(w *rowWorld) { w.ids["plan"] = "efb87545-963c-4e0d-99df-69c6916d9eb0" },
		act: func(w *rowWorld) {
			w.license("Sales", object{"sku": "STANDARDPACK", "disabledPlans": []string{w.or("plan", "7547a3fe-08ee-4ccb-b430-5077c5041653")}})
		},
		want: rowEnd{told: []string{"licence-add applied", "licence-add finding license-plan-unknown"}, wrote: []string{"license ann"}},
		miss: rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
	{
		name: "45 a group of the tenant's own gives what it has no seat of",
		scene: func(w *rowWorld) {
			w.people("ann", "ben")
			w.placed("ann")
			w.placed("ben")
			w.group("Sales", "ann")
			w.theirs(entratest.SecurityGroup, "Theirs", "ann")
			w.buy("SPE_E3", 1)
		},
		fact: func(w *rowWorld) { w.assign("ben", gives(skus.SPEE3)) },
		act: func(w *rowWorld) {
			w.groupGives("Theirs", "ann")
			w.license("Sales", object{"sku": "SPE_E3"})
		},
		want: rowEnd{told: []string{"licence pending waiting-for-seat"}},
		miss: rowEnd{nothing: true},
	},
	{
		name:  "47 an address that is another object's",
		scene: func(w *rowWorld) { w.people("ann"); w.group("Sales", "ann"); w.buy("SPE_E3", 5) },
		fact:  func(w *rowWorld) { w.service(entratest.LicenceService{TakenAddresses: []string{w.account("ann")}}) },
		act:   func(w *rowWorld) { w.license("Sales", object{"sku": "SPE_E3"}) },
		want:  rowEnd{told: []string{"licence-add failed license-address-taken", "licence conflict license-address-taken"}, raw: "Request_BadRequest Another object with the same value for property proxyAddresses"},
		miss:  rowEnd{told: []string{"licence-add applied"}, wrote: []string{"license ann"}},
	},
}

// userID is the ID of somebody's account.
func (w *rowWorld) userID(name string) string {
	id, _ := w.Account(w.tenant, w.account(name))["id"].(string)
	return id
}

// placed has somebody say where an account is used.
func (w *rowWorld) placed(name string) {
	w.Helper()
	if err := w.Stack.Sim.EditAccount(w.tenant, w.account(name), map[string]any{"usageLocation": "DE"}); err != nil {
		w.Fatal(err)
	}
}

// or is a name that the fact has set, else the other one.
func (w *rowWorld) or(name, other string) string {
	if set := w.ids[name]; set != "" {
		return set
	}
	return other
}

// without is the first rule, and the others unless the fact leaves them out.
func (w *rowWorld) without(first object, others ...object) []object {
	if w.ids["without"] != "" {
		return []object{first}
	}
	return append([]object{first}, others...)
}

// rare has the tenant buy a product that has a service which is not sold in a country.
func (w *rowWorld) rare(country string) {
	w.Helper()
	w.ids["rare"] = country
}

func (w *rowWorld) rareElsewhere() {
	w.Helper()
	err := w.Stack.Sim.SetLicence(w.tenant, entratest.LicenceSpec{SKUPartNumber: "RARE", SKUID: "77777777-aaaa-4bbb-8ccc-00000000000a", Enabled: 9,
		Plans: []entratest.LicencePlan{{ID: "88888888-aaaa-4bbb-8ccc-00000000000a", Name: "RARE_S", Service: "Rare", ProhibitedIn: []string{w.or("rare", "CH")}}}})
	if err != nil {
		w.Fatal(err)
	}
}
