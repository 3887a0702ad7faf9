package admin

import (
	"context"
	"strconv"

	"bindery/shared/directory"
)

// named reads the elements of a list of IDs: whoever shows a page of bindings, changes or
// problems has the names of all its users by one call. place is where the page begins.
func named[ID ~string, T any](ctx context.Context, ids []ID, place string, alone bool, read func(ctx context.Context, ids []ID) ([]T, error)) func(limit int) ([]T, string, error) {
	return func(limit int) ([]T, string, error) {
		if !alone {
			r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFilter, "Whoever names IDs names no other filter.", "Leave out id, or the others.")
			r.Fields = []directory.FieldError{{Field: "id", Detail: "goes with no other filter"}}
			return nil, "", r
		}
		from := 0
		if place != "" {
			var err error
			if from, err = strconv.Atoi(place); err != nil || from < 0 || from > len(ids) {
				return nil, "", directory.Refuse(directory.ErrInvalid, directory.CodeInvalidCursor, "The parameter next is not one that a page of this list gave.", "Begin again without it.")
			}
		}
		end, next := min(len(ids), from+limit), ""
		if end < len(ids) {
			next = strconv.Itoa(end)
		}
		items, err := read(ctx, ids[from:end])
		return items, next, err
	}
}
