package people

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/store"
)

// portioned has pushed every other user of those who are asked for, and keeps how many these
// are at once.
type portioned struct {
	documentStore
	most int
}

func (p *portioned) DocumentsAmong(_ context.Context, _ directory.ScimClientID, of []directory.MemberRef) (map[directory.MemberRef]store.Document, error) {
	p.most = max(p.most, len(of))
	docs := map[directory.MemberRef]store.Document{}
	for i := 0; i < len(of); i += 2 {
		docs[of[i]] = store.Document{Of: of[i], Version: 1}
	}
	return docs, nil
}

// Whom a client sees of very many members is found with few of their documents at a time.
func TestSeenInPortions(t *testing.T) {
	t.Parallel()
	docs := &portioned{}
	s := &Pushes{documents: docs}
	var users, want []directory.UserID
	for i := range 1800 {
		u := directory.UserID(fmt.Sprintf("usr_%026d", i))
		if users = append(users, u); i%2 == 0 {
			want = append(want, u)
		}
	}
	got, err := s.Seen(t.Context(), &directory.ScimClient{OwnOnly: true}, users)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d of %d, %v", len(got), len(want), err)
	}
	if docs.most > 500 {
		t.Errorf("%d documents were read at once", docs.most)
	}
}
