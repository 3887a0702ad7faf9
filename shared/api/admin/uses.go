package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// Uses says what connections do with groups; *uses.Service does.
type Uses interface {
	Get(ctx context.Context, id directory.ConnectionID, g directory.GroupID) (uses.Used, error)
	List(ctx context.Context, id directory.ConnectionID, after string, limit int) ([]directory.GroupUse, string, error)
	Members(ctx context.Context, id directory.ConnectionID, g directory.GroupID, cursor string, limit int) ([]store.UseMember, string, error)
	Try(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, rules directory.UseRules, version int64) error
	Forecast(ctx context.Context, id directory.ConnectionID, g directory.GroupID, rules directory.UseRules) (uses.Forecast, error)
	Put(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, rules directory.UseRules, version int64) (uses.Used, error)
	Licences(ctx context.Context, id directory.ConnectionID, u directory.UserID) (uses.Licensed, error)
	License(ctx context.Context, by directory.Caller, id directory.ConnectionID, u directory.UserID, rules []directory.LicenceRule, version int64) (uses.Licensed, error)
	End(ctx context.Context, by directory.Caller, id directory.ConnectionID, g directory.GroupID, version int64) (uses.Used, error)
	ForgetScopes(ctx context.Context, id directory.ConnectionID) error
}

// GroupUse is what a connection does with a group, as the API shows it.
type GroupUse struct {
	ConnectionID directory.ConnectionID  `json:"connectionId"`
	GroupID      directory.GroupID       `json:"groupId"`
	Select       *directory.SelectRule   `json:"select,omitempty" doc:"The members of the group are bound."`
	Export       *directory.ExportRule   `json:"export,omitempty" doc:"The group is kept in the tenant."`
	Licences     []directory.LicenceRule `json:"licences,omitempty" doc:"What the members are licensed for."`
	Ending       bool                    `json:"ending,omitempty" doc:"It was ended, and what it gave is being taken back, or kept, as it says."`
	By           string                  `json:"by,omitempty" doc:"Who asked for it as it is."`
	Created      time.Time               `json:"created"`
	Updated      time.Time               `json:"updated"`
	Problem      string                  `json:"problem,omitempty" doc:"Why what follows from it cannot be brought up to date."`
	Lacking      []directory.Permission  `json:"lacking,omitempty" doc:"Permissions that it needs and the connection was not granted. Nothing that needs them is written; authorise the connection again, and it goes on by itself."`
	Forecast     *uses.Forecast          `json:"forecast,omitempty" doc:"Of a PUT: what is likely to follow from it"`
	UpToDate     *UseProgress            `json:"upToDate,omitempty" doc:"When what follows from it was last brought up to date with the group's members, and for how many."`
}

// UseProgress is how far a use was brought when it was last brought up to date.
type UseProgress struct {
	At      time.Time `json:"at"`
	Members int       `json:"members"`
	Refused int       `json:"refused" doc:"Of them, those whom it selects and who cannot be bound; GET …/members lists them with the reason."`
}

func viewUse(u *directory.GroupUse) GroupUse {
	return GroupUse{ConnectionID: u.ConnectionID, GroupID: u.GroupID, Select: u.Select, Export: u.Export, Licences: u.Licences,
		Ending: u.Ending, By: u.By, Created: u.Created, Updated: u.Updated}
}

// UsedMember is a member of a used group, with what has come of the use for it.
type UsedMember struct {
	UserID   directory.UserID  `json:"userId,omitempty"`
	GroupID  directory.GroupID `json:"groupId,omitempty" doc:"A group in the group that stays one in the tenant."`
	Selected bool              `json:"selected" doc:"The user is bound by it."`
	Exported bool              `json:"exported" doc:"The membership is kept in the tenant."`
	Licensed bool              `json:"licensed" doc:"The user is licensed by it."`
	Reason   string            `json:"reason,omitempty" doc:"Why the user is not bound although it is selected: a code."`
	Since    time.Time         `json:"since"`
}

// UsePath names the use of a group in a path.
type UsePath struct {
	ConnectionPath
	GroupID string `path:"groupId" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the group"`
}

// UseEditing is what every edit of a use takes: its version, if the caller cares.
type UseEditing struct {
	UsePath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of what is edited; without it the edit goes onto whatever is there"`
}

type useOutput struct {
	ETag string `header:"ETag"`
	Body GroupUse
}

func (a *API) userLicences() {
	const path = "/v1/connections/{id}/bindings/{userId}/licences"
	register(a, operation{id: "getUserLicences", method: http.MethodGet, path: path, scope: ScopeRead,
		summary: "Read which licences a bound user is to have by rules of the user's own, and what has come of all rules"}, a.getUserLicences)
	register(a, operation{id: "licenseUser", method: http.MethodPut, path: path, scope: ScopeWrite,
		summary: "Say which licences a bound user is to have, whatever groups say",
		more:    "What a rule alone gave is taken away once the rule is gone; an empty list takes all of them away. The rules count while the user is bound.",
		body:    schema[directory.LicenceRules](a), core: []string{allMembers}}, a.licenseUser)
}

func (a *API) groupUses() {
	const path = "/v1/connections/{id}/groups"
	register(a, operation{id: "listGroupUses", method: http.MethodGet, path: path, scope: ScopeRead,
		summary: "List what a connection does with groups"}, a.listUses)
	register(a, operation{id: "listUsesOfGroup", method: http.MethodGet, path: "/v1/groups/{id}/uses", scope: ScopeRead,
		summary: "List what connections do with a group", more: "What they do with groups above it is not among them."}, a.listUsesOfGroup)
	register(a, operation{id: "getGroupUse", method: http.MethodGet, path: path + "/{groupId}", scope: ScopeRead,
		summary: "Read what a connection does with a group"}, a.getUse)
	register(a, operation{id: "useGroup", method: http.MethodPut, path: path + "/{groupId}", scope: ScopeAdmin,
		summary: "Say what a connection does with a group: bind its members, export it, license its members",
		more:    "What gives Bindery more say over what others have made in the tenant (export.adopt, members \"exact\", onRelease \"delete\") needs bindery/approve besides. The answer's forecast says what is likely to follow, from our own records and at most 2,000 of the group's users; with dryRun nothing else is done. A group of the tenant that is never written is refused as export.adopt.",
		body:    schema[directory.UseRules](a), core: []string{allMembers}}, a.putUse)
	register(a, operation{id: "endGroupUse", method: http.MethodDelete, path: path + "/{groupId}", scope: ScopeAdmin, status: 202,
		summary: "End what a connection does with a group; what it gave is taken back, or kept, as the use says"}, a.endUse)
	register(a, operation{id: "listUsedMembers", method: http.MethodGet, path: path + "/{groupId}/members", scope: ScopeRead,
		summary: "List the members of a used group, with what has come of the use for each"}, a.listUsedMembers)
}

// UserLicences is which licences a user is to have by rules of the user's own, and what
// has come of all rules, of groups as well.
type UserLicences struct {
	ConnectionID directory.ConnectionID      `json:"connectionId"`
	UserID       directory.UserID            `json:"userId"`
	Licences     []directory.LicenceRule     `json:"licences" doc:"The rules of the user's own."`
	By           string                      `json:"by,omitempty" doc:"Who asked for them as they are."`
	Updated      time.Time                   `json:"updated,omitzero"`
	Lacking      []directory.Permission      `json:"lacking,omitempty" doc:"Permissions that they need and the connection was not granted. Authorise the connection again, and what they say follows by itself."`
	Given        []directory.AssignedLicence `json:"given" doc:"What Bindery gave to the account itself, by whatever rule: the ledger, and all that it ever takes away."`
	Status       directory.BindingStatus     `json:"status,omitempty" doc:"How far all rules of the user have been followed; nothing: there is none."`
	Problem      *directory.Problem          `json:"problem,omitempty"`
	Findings     []directory.Problem         `json:"findings,omitempty"`
}

type userLicencesOutput struct {
	ETag string `header:"ETag"`
	Body UserLicences
}

func answerLicences(l uses.Licensed, err error) (*userLicencesOutput, error) {
	if err != nil {
		return nil, err
	}
	v := UserLicences{ConnectionID: l.ConnectionID, UserID: l.UserID, Licences: orEmpty(l.UserLicences.Licences), By: l.By, Updated: l.Updated, Lacking: l.Lacking, Given: []directory.AssignedLicence{}}
	if b := l.Record; b != nil {
		v.Status, v.Problem, v.Findings = b.Status, b.Problem, b.Findings
		for _, name := range b.Base.Names() {
			if sku, is := directory.LicenceOfProperty(name); is {
				off, _ := directory.LicencePlansOff(b.Base[name])
				v.Given = append(v.Given, directory.AssignedLicence{SKU: sku, DisabledPlans: orEmpty(off)})
			}
		}
	}
	return &userLicencesOutput{etagOf(l.Version), v}, nil
}

func (a *API) getUserLicences(ctx context.Context, _ Caller, in *BindingPath) (*userLicencesOutput, error) {
	return answerLicences(a.Uses.Licences(ctx, directory.ConnectionID(in.ID), directory.UserID(in.UserID)))
}

func (a *API) licenseUser(ctx context.Context, by Caller, in *struct {
	BindingPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of what is edited; without it the edit goes onto whatever is there"`
	raw
}) (*userLicencesOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	rules, err := directory.ParseLicenceRules(in.RawBody)
	if err != nil {
		return nil, err
	}
	return answerLicences(a.Uses.License(ctx, by.Caller, directory.ConnectionID(in.ID), directory.UserID(in.UserID), rules, version))
}

func (a *API) listUses(ctx context.Context, _ Caller, in *struct {
	ConnectionPath
	Paging
}) (*listOutput[GroupUse], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]GroupUse, string, error) {
		list, next, err := a.Uses.List(ctx, directory.ConnectionID(in.ID), in.Next, limit)
		views := make([]GroupUse, len(list))
		for i := range list {
			views[i] = viewUse(&list[i])
		}
		return views, next, err
	})
}

// listUsesOfGroup goes by the group's own note of who uses it.
func (a *API) listUsesOfGroup(ctx context.Context, _ Caller, in *GroupPath) (*listOutput[GroupUse], error) {
	g, err := a.Groups.Get(ctx, directory.GroupID(in.ID))
	if err != nil {
		return nil, err
	}
	items := []GroupUse{}
	for _, c := range g.UsedBy {
		u, err := answerUse(a.Uses.Get(ctx, c, g.ID))
		if errors.Is(err, directory.ErrNotFound) {
			continue // it has ended since, or with its connection's epoch
		}
		if err != nil {
			return nil, err
		}
		items = append(items, u.Body)
	}
	return &listOutput[GroupUse]{list[GroupUse]{Items: items}}, nil
}

func (a *API) getUse(ctx context.Context, _ Caller, in *UsePath) (*useOutput, error) {
	return answerUse(a.Uses.Get(ctx, directory.ConnectionID(in.ID), directory.GroupID(in.GroupID)))
}

func answerUse(u uses.Used, err error) (*useOutput, error) {
	if err != nil {
		return nil, err
	}
	v := viewUse(&u.GroupUse)
	v.Problem, v.Lacking = u.State.Problem, u.Lacking
	if !u.State.At.IsZero() {
		v.UpToDate = &UseProgress{u.State.At, u.State.Members, u.State.Refused}
	}
	return &useOutput{etagOf(u.Version), v}, nil
}

func (a *API) putUse(ctx context.Context, by Caller, in *struct {
	UseEditing
	DryRun string `query:"dryRun" enum:"true,false" doc:"Only say what is likely to follow: nothing is stored"`
	raw
}) (*useOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	rules, err := directory.ParseUseRules(in.RawBody)
	if err != nil {
		return nil, err
	}
	conn, group := directory.ConnectionID(in.ID), directory.GroupID(in.GroupID)
	if err := a.Uses.Try(ctx, by.Caller, conn, group, rules, version); err != nil {
		return nil, err
	}
	forecast, err := a.Uses.Forecast(ctx, conn, group, rules) // of what follows, so before it is stored
	if err != nil {
		return nil, err
	}
	if in.DryRun == "true" {
		return &useOutput{Body: GroupUse{ConnectionID: conn, GroupID: group, Select: rules.Select, Export: rules.Export, Licences: rules.Licences, Forecast: &forecast}}, nil
	}
	out, err := answerUse(a.Uses.Put(ctx, by.Caller, conn, group, rules, version))
	if err == nil {
		out.Body.Forecast = &forecast
	}
	return out, err
}

func (a *API) endUse(ctx context.Context, by Caller, in *UseEditing) (*useOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answerUse(a.Uses.End(ctx, by.Caller, directory.ConnectionID(in.ID), directory.GroupID(in.GroupID), version))
}

func (a *API) listUsedMembers(ctx context.Context, _ Caller, in *struct {
	UsePath
	Paging
}) (*listOutput[UsedMember], error) {
	return listOf(ctx, a, in.Limit, func(limit int) ([]UsedMember, string, error) {
		list, next, err := a.Uses.Members(ctx, directory.ConnectionID(in.ID), directory.GroupID(in.GroupID), in.Next, limit)
		if err != nil {
			return nil, "", err
		}
		views := make([]UsedMember, len(list))
		for i, m := range list {
			views[i] = UsedMember{
				UserID: m.Member.User(), GroupID: m.Member.Group(), Reason: m.Code, Since: m.Since,
				Selected: m.Parts.Has(store.UseSelected), Exported: m.Parts.Has(store.UseExported), Licensed: m.Parts.Has(store.UseLicensed),
			}
		}
		return views, next, nil
	})
}
