package people

import (
	"context"
	"errors"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// Filter chooses users; a zero member chooses all.
type Filter struct {
	Email  string // the whole address, case-folded
	State  directory.UserState
	Source directory.Source
	Text   string // part of a name, an address or an ID, case-folded
}

func (f *Filter) validate() error {
	var faults []directory.FieldError
	if fault := checkState(string(f.State)); f.State != "" && fault != "" {
		faults = append(faults, directory.FieldError{Field: "state", Detail: fault})
	}
	if fault := sourceFault(f.Source); fault != "" {
		faults = append(faults, directory.FieldError{Field: "source", Detail: fault})
	}
	return badFilter(faults)
}

func sourceFault(s directory.Source) string {
	switch s {
	case "", directory.SourceManual, directory.SourceSCIM, directory.SourceAD, directory.SourceM365:
		return ""
	}
	return "must be manual, scim, ad or m365"
}

// badFilter makes one refusal of all faults, or nil of none.
func badFilter(faults []directory.FieldError) error {
	if faults == nil {
		return nil
	}
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidFilter, "The listing was not started.", "Correct the parameters named in errors.")
	r.Fields = faults
	return r
}

func (f *Filter) keeps(u *directory.User) bool {
	if u.Deleted != nil || f.State != "" && u.State != f.State || f.Source != "" && u.Source != f.Source ||
		f.Email != "" && directory.FoldAddress(u.Email) != directory.FoldAddress(f.Email) {
		return false
	}
	return f.Text == "" || directory.ContainsFolded(f.Text, searched(u)...)
}

// searched are the texts of a user in which a search looks.
func searched(u *directory.User) []string {
	texts := []string{string(u.ID), directory.FoldAddress(u.Email), u.GivenName + " " + u.FamilyName, u.FamilyName + " " + u.GivenName}
	for _, a := range directory.Attributes() {
		if a.Searchable {
			texts = append(texts, a.Text(&u.Profile))
		}
	}
	return texts
}

// List lists users, deleted ones left out, in a stable order. A page may hold fewer than limit
// users, or none, and still have a Next.
func (s *Users) List(ctx context.Context, f Filter, cursor string, limit int) (store.UserPage, error) {
	if err := f.validate(); err != nil {
		return store.UserPage{}, err
	}
	if f.Email == "" {
		return s.read.ListUsers(ctx, cursor, limit, f.keeps)
	}
	owners, err := s.read.UserIDsByEmail(ctx, []string{f.Email})
	if err != nil {
		return store.UserPage{}, err
	}
	id, ok := owners[directory.FoldAddress(f.Email)]
	if !ok {
		return store.UserPage{}, nil
	}
	u, err := s.read.User(ctx, id)
	if errors.Is(err, directory.ErrNotFound) {
		return store.UserPage{}, nil
	}
	if err != nil || !f.keeps(&u) {
		return store.UserPage{}, err
	}
	return store.UserPage{Users: []directory.User{u}}, nil
}
