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
)

// joinKinds gives the engine what it keeps in step besides accounts, and what records of
// that are made of: the uses of groups.
func (c *Core) joinKinds(engine *reconcile.Config) {
	records := c.parts.Store
	source := uses.NewSource(records)
	exports := groups.Of(records, source)
	exports.Attribution = c.Activity.Audits.LastMemberEditors
	managing := managers.New(managers.StoreOf(records))
	licensing := licences.New(licences.StoreOf(records), source)
	engine.Uses = uses.NewExpander(records, assign.NewSelected(records), c.parts.Now, c.parts.Log)
	licensing.Who = c.Activity.Audits.LastLicensor
	byGroup := licences.NewGroups(licensing)
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
