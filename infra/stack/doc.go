// Package stack joins Bindery's core to drivers other than AWS's, through the same
// package app as the Lambda functions do: for the laptop, the demo, the crash
// tests, the bench, and the tests of the whole. It has no logic of its own that a
// function would need.
//
//	Stack ── gateway, tokens of callers, queue and schedule, simulated Microsoft 365
//	  └─ Process ── Drivers (table, vault, queue, files, heads) + Microsoft (addresses, transport)
//	       └─ app.Core
//
// A Process is what a function's process is: it is started, and what it leaves
// when it ends is in its drivers. Whoever wants things to go wrong wraps drivers
// and transport (infra/crashtest, infra/bench). A Stack is a process with all that
// is around functions on AWS, in one; Work runs it. Time is that of package time:
// in a bubble of testing/synctest all of it is virtual.
//
// A Client calls the API of either, in process, as a caller with a token.
package stack
