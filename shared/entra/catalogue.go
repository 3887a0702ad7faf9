package entra

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bindery/shared/directory"
)

// verdict is what an error of Graph means.
type verdict struct {
	problem   *directory.Problem
	throttled bool // not applied: too many requests
	retry     bool // not applied, and may be tried again
	unknown   bool // a write may or may not have taken effect
	expired   bool // a link has expired
	missing   bool // Graph itself says that there is no such object
}

// asked is what a request was for. The same answer of Graph means one thing to a
// reader and another to the writer of a phone number. The zero value is a whole
// batch, of which nothing is known.
type asked struct {
	act        act
	properties directory.Properties
}

// act is a kind of request, as far as causes tell them apart.
type act string

const (
	actRead      act = "read"
	actCreate    act = "create"
	actUpdate    act = "update"    // of ordinary properties
	actSensitive act = "sensitive" // what Microsoft guards by the target's roles, G 1.5
	actRestore   act = "restore"

	actGroup        act = "group" // makes, changes or deletes a tenant group
	actGroupRestore act = "group-restore"
	actMember       act = "member" // adds members
	actMemberRemove act = "member-remove"
	actManager      act = "manager"
	actManagerClear act = "manager-clear"
	actLicence      act = "licence"       // of an account
	actGroupLicence act = "group-licence" // of a tenant group's members
)

// actsOnGroups write to tenant groups and their members.
var actsOnGroups = []act{actGroup, actGroupRestore, actMember, actMemberRemove}

// askedBy says what a write asks for.
func askedBy(w *directory.Write) asked {
	a := asked{properties: w.Properties}
	switch w.Effect {
	case directory.EffectCreate:
		a.act = actCreate
	case directory.EffectRestore:
		a.act = actRestore
	case directory.EffectDelete, directory.EffectRevoke:
		a.act = actSensitive
	case directory.EffectGroupCreate, directory.EffectGroupUpdate, directory.EffectGroupDelete:
		a.act = actGroup
	case directory.EffectGroupRestore:
		a.act = actGroupRestore
	case directory.EffectMemberAdd:
		a.act = actMember
	case directory.EffectMemberRemove:
		a.act = actMemberRemove
	case directory.EffectManagerSet:
		a.act = actManager
	case directory.EffectManagerClear:
		a.act = actManagerClear
	case directory.EffectLicenceAdd, directory.EffectLicenceRemove, directory.EffectLicenceSwap, directory.EffectLicencePlans, directory.EffectLicenceReprocess:
		a.act = actLicence
		if w.GroupID != "" {
			a.act = actGroupLicence
		}
	default:
		a.act = actUpdate
		for name := range w.Properties {
			if needsHigherRole(name) {
				a.act = actSensitive
			}
		}
	}
	return a
}

// needsHigherRole reports whether writing a property asks for a role above the
// target's.
func needsHigherRole(property string) bool {
	a, known := directory.AttributeOf(property)
	return known && a.Sensitive || property == "onPremisesImmutableId"
}

// classify says what an error of Graph means: a stable code of ours, the cause
// and the next step as sentences, and the original code, message and request id.
// The body may be empty, or not of Graph at all.
func classify(status int, header http.Header, body []byte, q asked) verdict {
	f := readError(status, header, body)
	f.asked = q
	c := f.cause()
	typ, say := directory.ProblemTypeOf(c.code), f.speaker()
	v := verdict{
		problem: &directory.Problem{
			Code: typ.Code, Kind: typ.Kind, Message: say(typ.Means), Next: say(typ.Next), Steps: slices.Clone(typ.Steps), RequestID: f.requestID,
			MicrosoftCode: f.code, MicrosoftMessage: f.message, MicrosoftStatus: status,
		},
		throttled: c.does == throttled, retry: c.does == again || c.does == throttled,
		unknown: c.does == inDoubt, expired: c.does == restart, missing: c.code == directory.CodeAccountNotFound || c.code == directory.CodeTenantGroupNotFound,
	}
	if c.one {
		v.problem.Property = f.culprit()
	}
	if c.held {
		v.problem.Holder, v.problem.HolderKind = f.holder()
	}
	if sku := guidRE().FindString(f.message); c.code == directory.CodeLicenseNoneLeft && sku != "" {
		v.problem.Holder = sku // whoever knows the tenant's products gives it its name
	}
	return v
}

// cause finds the first cause that fits; the last one fits everything.
func (f *failure) cause() *cause {
	for i := range causes {
		if slices.ContainsFunc(causes[i].signs, f.shows) {
			return &causes[i]
		}
	}
	return &causes[len(causes)-1]
}

// speaker fills what a sentence leaves open: {property}, {value}, which is
// nothing or the quoted value with a blank before, {length} and {sku}.
func (f *failure) speaker() func(string) string {
	property := f.property()
	value := f.value(property)
	length := "The value of " + property
	if n := len([]rune(value)); n > 0 {
		length += " has " + strconv.Itoa(n) + " characters, which"
	}
	value = clip(value, 80)
	if value != "" {
		value = " " + strconv.Quote(value)
	}
	sku := cmp.Or(guidRE().FindString(f.message), "that Microsoft does not name")
	return strings.NewReplacer("{property}", property, "{value}", value, "{length}", length, "{sku}", sku, "{address}", f.address()).Replace
}

// value is what the request wanted to write to a property.
func (f *failure) value(property string) string {
	v, ok := f.asked.properties[property]
	if !ok && strings.EqualFold(property, "proxyAddresses") {
		v = f.asked.properties["mail"]
	}
	if list, many := v.List(); many {
		return strings.Join(list, ", ")
	}
	return v.String()
}

// address is the contested address as far as the request tells.
func (f *failure) address() string {
	for _, name := range []string{"mail", directory.PropUserPrincipalName} {
		if s := f.asked.properties[name].String(); s != "" {
			return "the address " + strconv.Quote(clip(s, 120))
		}
	}
	return "one of the account's e-mail addresses"
}

// clip shortens a text from outside to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
