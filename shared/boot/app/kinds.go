package app

import (
	"context"

	"bindery/shared/core/reconcile"
	"bindery/shared/core/reconcile/licences"
	"bindery/shared/core/reconcile/managers"
	"bindery/shared/core/uses"
	"bindery/shared/directory"
)

// joinKinds gives the engine what it keeps in step besides accounts.
func (c *Core) joinKinds(engine *reconcile.Config) {
	records := c.parts.Store
	managing := managers.New(managers.StoreOf(records))
	licensing := licences.New(licences.StoreOf(records), uses.NewSource(records))
	engine.Kinds = []reconcile.Kind{managing, licensing}
	engine.Dependents = together(managing.Dependents, licensing.Dependents)
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
