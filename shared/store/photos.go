package store

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// Photos are the pictures of users, and where their reading stands.
type Photos struct{ db *db }

// Photo reads what is kept of a user's picture. ErrNotFound when nobody has
// asked for it yet.
func (s *Photos) Photo(ctx context.Context, u directory.UserID) (directory.Photo, error) {
	it, err := s.db.table.Get(ctx, photoKey(u))
	if err != nil {
		return directory.Photo{}, fail("photo of "+string(u), err)
	}
	var p directory.Photo
	return p, decode(it, &p)
}

// SavePhoto stores what is kept of a user's picture, while the user lives and
// the connection's epoch is the one that it was read in. ErrNotFound when the
// user is gone, ErrLeaseLost when the epoch has passed.
func (s *Photos) SavePhoto(ctx context.Context, epoch int64, p *directory.Photo) error {
	conn, profile := connectionKey(p.ConnectionID), profileKey(p.UserID)
	for {
		u, err := s.db.user(ctx, p.UserID)
		if err == nil && u.Deleted != nil {
			err = directory.ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("save photo: %w", err)
		}
		err = s.db.table.Write(ctx,
			table.Write{Put: &table.Item{Key: photoKey(p.UserID), Body: encode(p)}},
			// A deletion raises the version, and takes the picture away.
			table.Write{Check: &profile, If: table.When(table.VersionIs(u.Version))},
			table.Write{Check: &conn, If: table.When(table.NumberIs(numEpoch, table.Equal, epoch))})
		f, lost := failed(err)
		if !lost {
			return fail("save photo", err)
		}
		if _, passed := f[2]; passed {
			return fmt.Errorf("save photo: %w", directory.ErrLeaseLost)
		}
	}
}

// PhotoDue is a user whose picture is to be read as soon as can be.
type PhotoDue struct {
	UserID    directory.UserID
	AccountID directory.AccountID
}

// photoDueLife is how long a picture stays due that nobody reads.
const photoDueLife = 30 * 24 * time.Hour

// AddPhotosDue notes whose pictures are to be read.
func (s *Photos) AddPhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, list []PhotoDue) error {
	// One user twice would be one key twice.
	list = slices.Clone(list)
	sort.Slice(list, func(i, j int) bool { return list[i].UserID < list[j].UserID })
	list = slices.CompactFunc(list, func(a, b PhotoDue) bool { return a.UserID == b.UserID })
	for part := range slices.Chunk(list, table.MaxWrites) {
		writes := make([]table.Write, len(part))
		for i, d := range part {
			writes[i].Put = &table.Item{Key: photoDueKey(c, epoch, d.UserID), Expires: s.db.now().Add(photoDueLife),
				Strings: map[string]string{strAccount: string(d.AccountID)}}
		}
		if err := s.db.table.Write(ctx, writes...); err != nil {
			return fail("photos due", err)
		}
	}
	return nil
}

// PhotosDue lists up to limit users whose pictures are to be read.
func (s *Photos) PhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, limit int) ([]PhotoDue, error) {
	page, err := s.db.table.Query(ctx, table.Query{Partition: photoDueKey(c, epoch, "").Partition, Limit: limit})
	list := make([]PhotoDue, len(page.Items))
	for i, it := range page.Items {
		list[i] = PhotoDue{directory.UserID(it.Sort), directory.AccountID(it.Strings[strAccount])}
	}
	return list, fail("photos due", err)
}

// RemovePhotosDue forgets up to 100 users whose pictures have been read.
func (s *Photos) RemovePhotosDue(ctx context.Context, c directory.ConnectionID, epoch int64, list []PhotoDue) error {
	writes := make([]table.Write, len(list))
	for i, d := range list {
		key := photoDueKey(c, epoch, d.UserID)
		writes[i].Delete = &key
	}
	return fail("photos due", s.db.table.Write(ctx, writes...))
}

// PhotoPlan is where the reading of a connection's pictures stands.
type PhotoPlan struct {
	Epoch int64 `json:"epoch"`
	// Day is the last day, counted from 1970, whose share has been read.
	Day int64 `json:"day"`
	// Job is the last one that reads, begun at At.
	Job     directory.JobID `json:"job,omitempty"`
	At      time.Time       `json:"at,omitzero"`
	Version int64           `json:"-"`
}

// PhotoPlan reads it; the zero plan is none.
func (s *Photos) PhotoPlan(ctx context.Context, c directory.ConnectionID) (PhotoPlan, error) {
	var p PhotoPlan
	var err error
	p.Version, err = s.db.load(ctx, photoPlanKey(c), &p)
	return p, fail("photo plan", err)
}

// SavePhotoPlan stores a plan that was read at its version. ErrStale when
// somebody else was faster.
func (s *Photos) SavePhotoPlan(ctx context.Context, c directory.ConnectionID, p *PhotoPlan) error {
	if err := s.db.replace(ctx, photoPlanKey(c), p.Version, p); err != nil {
		return fail("photo plan", err)
	}
	p.Version++
	return nil
}

// PhotoDays is in how many days every bound user's picture has its turn.
const PhotoDays = 30

// PhotoTurn is the day, modulo PhotoDays, on which a user's picture has its turn.
func PhotoTurn(u directory.UserID) int64 { return int64(hashOf(string(u)) % PhotoDays) }
