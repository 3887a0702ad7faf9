// Package boot turns the environment of a Lambda function into its working
// parts, so that a main only says which core it joins to them.
//
// How the parts move:
//
//	environment ──Load──> Config ──Start──> App{Store, Vault, Work, Sweep, Log, Metrics}
//	App ──Core──> Core{Connect, Roster, Runs, Engine, …}, the same that the local stack makes of other Parts
//	event ──Handler──> HTTP (an http.Handler) | Message (one SQS record) | Tick (the schedule)
//	        └─ around each call: one Invocation, which ends as one wide JSON line
//
// Load reads every variable that the function uses, checks all of them by one
// table and reports all faults at once. Secrets are named in the environment
// and never carried in it. The same table is what infra/template compares
// template.yaml with, so neither can drift from the other.
//
// A Handler has at most one function for each way it may be called; an event
// of another kind is an error that names the kinds it takes. HTTP API events
// (payload 2.0) become ordinary requests to an ordinary http.Handler, so the
// same handler runs on a laptop. A message that fails is reported as a failed
// item of its batch; the others are not repeated.
//
// boot links no Microsoft Graph: the mains that talk to it add package entra,
// so the others stay small.
package boot
