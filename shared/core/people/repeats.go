package people

import (
	"context"
	"hash/fnv"
	"io"
	"slices"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// A load edits the user whom an earlier line made, and refuses a user name that an
// earlier line took. A check writes neither, so it remembers them: what lines of
// other steps would have left of those users and names that the file has more than
// once. Which those are, the file is read for when a slice begins; and what the lines
// of slices before would have left, it is asked again.

// mostCompared is how many lines a file may have for that. Of a larger one, a check
// knows the lines of one step.
const mostCompared = 200_000

// repeats are what a check remembers of earlier lines.
type repeats struct {
	// all says that the file is too large to be compared: everything is remembered,
	// for one step.
	all       bool
	addresses []uint64        // of all lines, in order
	repeated  map[uint64]bool // those that stand in several lines
	names     map[uint64]bool // the user names that lines give, but for their own address

	users map[string]directory.User // as they would be, by folded address
	// holders say who would have which user name; "" is for one that nobody would
	// have any more.
	holders map[string]directory.UserID
}

func hashed(folded string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, folded) // a hash takes all
	return h.Sum64()
}

// readRepeats reads the whole file for what lines have in common, and then looks at
// the lines before a place again, as far as those behind it may depend on them.
func (w *loadWorker) readRepeats(ctx context.Context, j *jobs.Job, in loadInput, until filePlace) (*repeats, error) {
	r := &repeats{
		all:      j.Total > mostCompared,
		repeated: map[uint64]bool{}, names: map[uint64]bool{}, users: map[string]directory.User{}, holders: map[string]directory.UserID{},
	}
	if r.all {
		return r, nil
	}
	err := w.eachLine(ctx, w.file.size, func(l loadLine) error {
		address, name := keysOf(l)
		if l.Code == "" {
			r.addresses = append(r.addresses, hashed(address))
		}
		if name != "" {
			r.names[hashed(name)] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(r.addresses)
	for i := 1; i < len(r.addresses); i++ {
		if r.addresses[i] == r.addresses[i-1] {
			r.repeated[r.addresses[i]] = true
		}
	}
	return r, w.checkAgain(ctx, j, in, r, until)
}

// keysOf are the folded address of a line and the user name that it gives; "" for
// none, or when it is the address.
func keysOf(l loadLine) (address, name string) {
	address, name = directory.FoldAddress(l.Edit["email"]), directory.FoldAddress(l.Edit["userName"])
	if name == address {
		name = ""
	}
	return address, name
}

// depends reports whether what other lines come to may depend on a line.
func (r *repeats) depends(l loadLine) bool {
	if l.Code != "" {
		return false
	}
	address, name := keysOf(l)
	return name != "" || r.repeated[hashed(address)] || r.names[hashed(address)]
}

// checkAgain has the lines before a place checked once more, for what r is to
// remember of them; the rest of what comes of it counted before.
func (w *loadWorker) checkAgain(ctx context.Context, j *jobs.Job, in loadInput, r *repeats, until filePlace) error {
	if len(r.repeated)+len(r.names) == 0 {
		return nil
	}
	var lines []loadLine
	check := func() error {
		_, err := w.loads.loader(j, in, r).load(ctx, lines)
		lines = nil
		return err
	}
	err := w.eachLine(ctx, until.Offset, func(l loadLine) error {
		if !r.depends(l) {
			return nil
		}
		lines = append(lines, l)
		if len(lines) < loadWindow {
			return nil
		}
		return check()
	})
	if err != nil || len(lines) == 0 {
		return err
	}
	return check()
}

// eachLine reads the elements of the file up to an offset.
func (w *loadWorker) eachLine(ctx context.Context, end int64, found func(loadLine) error) error {
	for at := w.layout.first; at.Offset < end; {
		window, whole, err := w.file.from(ctx, at.Offset)
		if err != nil {
			return err
		}
		most := loadWindow
		if end < w.file.size {
			most = 1 // which ends where a step has ended
		}
		at = w.layout.scan(window, whole, at, most, func(line int, element []byte) {
			if err == nil {
				err = found(w.layout.parse(&w.rows, line, element))
			}
		})
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin is called before a step: users are those of the table that its lines are
// about, over which is put what earlier lines would have left of them.
func (r *repeats) begin(users map[string]directory.User, lines []loadLine) {
	if r.all {
		clear(r.users)
		clear(r.holders)
	}
	for i := range lines {
		address, _ := keysOf(lines[i])
		if u, ok := r.users[address]; ok {
			users[address] = u
		}
	}
}

// keep remembers what a line would do to a user; old is how it was, or nil.
func (r *repeats) keep(old, u *directory.User) {
	address, name := directory.FoldAddress(u.Email), directory.FoldAddress(u.UserName)
	if r.all || r.repeated[hashed(address)] {
		r.users[address] = *u
	}
	if r.all || r.names[hashed(name)] {
		r.holders[name] = u.ID
	}
	if old == nil {
		return
	}
	before := directory.FoldAddress(old.UserName)
	if before == name {
		return
	}
	_, asAddress := slices.BinarySearch(r.addresses, hashed(before))
	if r.all || asAddress || r.names[hashed(before)] {
		r.holders[before] = ""
	}
}
