package reconcile

import "bindery/shared/directory"

// alarmLeaver raises the alarm when a change that is refused would have taken
// somebody's access away.
func (b *accountBatch) alarmLeaver(c *directory.Change) {
	if row := b.rows[c.UserID]; row.User == nil || row.User.Enabled() {
		return
	}
	b.s.sum.ProtectedLeavers++
	b.s.log.Error("a leaver's account is protected and stays enabled", "code", directory.CodeAccountProtected, "connectionId", b.s.conn.ID, "runId", b.w.Run.ID, "userId", c.UserID)
}

// targetProtected takes in that Microsoft has refused a write because of the
// account's roles. A role may have been given since they were read, so what is
// remembered of them is dropped and the next slice reads them anew. The change
// counts as failed and not as refused: when our admin has lost a role, every
// account answers so, and the breaker has to see it.
func (b *accountBatch) targetProtected(c *directory.Change) {
	b.alarmLeaver(c)
	b.a.shield.reader.Forget(b.s.conn.ID)
}
