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
	engine.Dependents = together(managing.Dependents, ofGroups(groups.Dependents(exports)), ofGroups(licensing.Dependents), ofGroups(byGroup.Dependents))
}

// ofGroups asks only where the connection does something with groups: nothing depends on
// them else.
func ofGroups(of dependents) dependents {
	return func(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
		if !c.UsesGroups {
			return nil, nil
		}
		return of(ctx, c, ref)
	}
}

// dependents is reconcile.Config.Dependents.
type dependents = func(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error)

// together asks several kinds what depends on an object.
func together(kinds ...dependents) dependents {
	return func(ctx context.Context, c *directory.Connection, ref directory.Ref) ([]directory.Ref, error) {
		var all []directory.Ref
		for _, of := range kinds {
			refs, err := of(ctx, c, ref)
			if err != nil {
				return nil, err
			}
			all = append(all, refs...)
		}
		return all, nil
	}
}
