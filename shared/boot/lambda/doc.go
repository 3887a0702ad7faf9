// Package lambda takes Lambda's events and gives its answers.
//
//	main.go     environment ─app─> parts ─> Function
//	handler.go  event ─> HTTP (an http.Handler) | Message (one SQS record) | Tick (the schedule)
//	            └─ around each call one telemetry.Invocation
//	http.go     an event of the HTTP API (payload 2.0) as an ordinary request
//	answer.go   an answer in a form that Lambda takes
//	gateway.go  what API Gateway says of a request: the claims that it has checked, its ID
//
// A Handler has at most one function for each way it may be called; an event
// of another kind is an error that names the kinds it takes. HTTP API events
// become ordinary requests to an ordinary http.Handler, so the same handler runs
// on a laptop. A message that fails is reported as a failed item of its batch; the
// others are not repeated. One that came early goes back to its queue.
package lambda
