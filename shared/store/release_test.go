package store

import (
	"context"
	"testing"
	"time"

	"bindery/shared/table"
)

// lone tells of each write that is sent by itself.
type lone struct {
	Table
	tell func(w *table.Write)
}

func (l lone) Write(ctx context.Context, writes ...table.Write) error {
	if len(writes) == 1 {
		l.tell(&writes[0])
	}
	return l.Table.Write(ctx, writes...)
}

// TestReleaseCanBeRepeated: what gives a lease back by itself does the same a second
// time, so that a driver may repeat it when the answer was lost: DynamoDB's does not
// repeat a lone update that adds (dynamodb.TestLostAnswers, "add to version").
func TestReleaseCanBeRepeated(t *testing.T) {
	s, _ := newStore(t)
	conn := activeConnection(t, s)
	l, _, err := s.Leases.AcquireLease(t.Context(), conn.ID, "w", time.Minute)
	must(t, err)
	d := s.Users.db
	d.table = lone{d.table, func(w *table.Write) {
		if w.Update != nil && w.Update.AddVersion != 0 {
			t.Errorf("%v adds to the version, alone: it is sent once, and the slice fails when the answer is lost", w.Update.Key)
		}
	}}
	must(t, s.Leases.ReleaseLease(t.Context(), &l, RunEnd{}, false))
}
