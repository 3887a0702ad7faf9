package storetest

import (
	"time"

	"bindery/shared/directory"
)

func testSessions(s *suite) {
	ctx := s.Context()
	_, _, err := s.Sessions.Session(ctx, "a")
	s.want(err, directory.ErrNotFound)
	until := s.Now().Add(time.Hour)
	s.must(s.Sessions.SaveSession(ctx, "a", []byte{0, 1, 255}, 0, until))
	s.want(s.Sessions.SaveSession(ctx, "a", []byte("again"), 0, until), directory.ErrStale)
	sealed, version, err := s.Sessions.Session(ctx, "a")
	if s.must(err); string(sealed) != "\x00\x01\xff" || version != 1 {
		s.Errorf("%x at version %d", sealed, version)
	}
	s.must(s.Sessions.SaveSession(ctx, "a", []byte("more"), version, until))
	s.want(s.Sessions.SaveSession(ctx, "a", []byte("late"), version, until), directory.ErrStale)
	s.pass(time.Hour)
	_, _, err = s.Sessions.Session(ctx, "a")
	s.want(err, directory.ErrNotFound) // whether or not the table has deleted it
	s.must(s.Sessions.SaveSession(ctx, "b", []byte("b"), 0, s.Now().Add(time.Hour)))
	s.must(s.Sessions.EndSession(ctx, "b"))
	s.must(s.Sessions.EndSession(ctx, "b"))
	_, _, err = s.Sessions.Session(ctx, "b")
	s.want(err, directory.ErrNotFound)
}
