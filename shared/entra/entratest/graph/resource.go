package graph

import (
	"slices"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// resource is what Graph does with one kind of object in the same way as with any
// other: list it, follow its changes, delete and restore it, and tell of it in the
// audit log.
type resource struct {
	table       *state.Table
	set         string   // as in paths: users
	relations   []string // that a delta query tells of
	followed    []string // those of them that it tells of without $select
	read        []string // permissions that let objects be read, one of them
	readDeleted []string // permissions that let deleted ones be read
	remove      []string // permissions to delete, restore and purge
	audit       auditing

	// mayRemove checks what else deleting, restoring or purging an object needs.
	mayRemove func(c *call, o *state.Object) *odata.Error
}

// resources are all kinds of objects.
var resources = []*resource{users, groups}

// resourceOf returns the resource of a kind.
func resourceOf(kind string) *resource {
	i := slices.IndexFunc(resources, func(r *resource) bool { return r.table.Kind == kind })
	return resources[i]
}

// odataType is how an object of the kind says what it is.
func (r *resource) odataType() string { return "#microsoft.graph." + r.table.Kind }

// list is GET /{set}.
func list(r *resource) operation {
	return func(c *call) (*reply, *odata.Error) {
		if !c.has(r.read...) {
			return nil, denied()
		}
		return c.list(collection{resource: r, set: r.set})
	}
}

// count is GET /{set}/$count.
func count(r *resource) operation {
	return func(c *call) (*reply, *odata.Error) {
		if !c.has(r.read...) {
			return nil, denied()
		}
		return c.count(collection{resource: r, set: r.set})
	}
}

// listDeleted is GET /directory/deletedItems/microsoft.graph.{kind}.
func listDeleted(r *resource) operation {
	return func(c *call) (*reply, *odata.Error) {
		if !c.has(r.readDeleted...) {
			return nil, denied()
		}
		return c.list(collection{resource: r, set: "directoryObjects/microsoft.graph." + r.table.Kind, deleted: true})
	}
}

// delta is GET /{set}/delta.
func delta(r *resource) operation {
	return func(c *call) (*reply, *odata.Error) {
		if !c.has(r.read...) {
			return nil, denied()
		}
		return c.delta(r)
	}
}

// mayRemove checks the right to delete, restore and purge an object.
func (c *call) mayRemove(o *state.Object) *odata.Error {
	r := resourceOf(o.Kind)
	if !c.has(r.remove...) {
		return denied()
	}
	return r.mayRemove(c, o)
}
