// Package telemetry says what a function did: one line of the log and one of
// metrics for each invocation.
//
//	log.go         JSON lines, in which addresses and secrets are masked
//	invocation.go  what is gathered during a call, and its one wide line
//	metrics.go     the names of all metrics, and those that need no alarm
//	emf.go         CloudWatch's embedded metric format
//
// Whoever works within a call finds its Invocation in the context, and adds to it:
// IDs under the keys connectionId, runId, jobId, userId, and counts. Without one
// (a laptop, a test) that does nothing. Neither a line nor a metric ever fails the
// work that it is about.
package telemetry
