package app

import (
	"context"

	"bindery/shared/core/assign"
	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/groups"
	"bindery/shared/core/reconcile/licences"
	"bindery/shared/core/reconcile/managers"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
	"bindery/shared/store"
)

// JoinKinds gives an engine over records what it keeps in step besides accounts, and what
// records of that are made of: the uses of groups. editor and licensor may be nil: then
// nobody is asked who changed a tenant group's members, or licences.
func JoinKinds(engine *reconcile.Config, records *store.Store, editor groups.Attribution, licensor licences.Attribution) {
	source := uses.NewSource(records)
	exports := groups.Of(records, source)
	exports.Attribution = editor
	managing := managers.New(managers.StoreOf(records))
	licensing := licences.New(licences.StoreOf(records), source)
	licensing.Who = licensor
	byGroup := licences.NewGroups(licensing)
	engine.Uses = uses.NewExpander(records, assign.NewSelected(records), engine.Now, engine.Log)
	engine.Kinds = append(groups.Kinds(exports), managing, licensing, byGroup)
	engine.Dependents = together(reconcile.EachDependents(managing.Dependents), ofGroups(groups.Dependents(exports)),
		ofGroups(reconcile.EachDependents(licensing.Dependents)), ofGroups(reconcile.EachDependents(byGroup.Dependents)))
}

// ofGroups asks only where the connection does something with groups: nothing depends on
// them else.
func ofGroups(of reconcile.Dependents) reconcile.Dependents {
	return func(ctx context.Context, c *directory.Connection, refs []directory.Ref) ([]directory.Ref, error) {
		if !c.UsesGroups {
			return nil, nil
		}
		return of(ctx, c, refs)
	}
}

// together asks several kinds what depends on objects.
func together(kinds ...reconcile.Dependents) reconcile.Dependents {
	return func(ctx context.Context, c *directory.Connection, refs []directory.Ref) ([]directory.Ref, error) {
		var all []directory.Ref
		for _, of := range kinds {
			list, err := of(ctx, c, refs)
			if err != nil {
				return nil, err
			}
			all = append(all, list...)
		}
		return all, nil
	}
}
