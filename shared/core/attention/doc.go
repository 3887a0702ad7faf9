// Package attention gathers what needs somebody: over all connections, what waits for a
// decision, what is broken, what will break, and who waits for something.
//
//	connections, a page ─> of each, beside each other: open runs, problems by cause, the doctor's report ─┐
//	SCIM clients ─> of each, beside each other: tokens, last requests, judged by the doctor's rules ──────┴─> items
//
// It reads what others have written down and finds out nothing by itself: a call asks
// nothing of Microsoft and goes through no bindings. Of a connection it makes one call of
// the table for the lease, one for the list of open runs, one for problems (of each cause
// that many have one more) and one for the report, and reads the records of the runs that
// are open; with only decisions asked for, the first two. The clients are one call, and two for each.
package attention
