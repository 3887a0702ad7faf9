// Package runs is what admins ask of runs: to start, approve, decline, cancel,
// undo and show them, to pause, resume and retry what they work on, and when they
// will have ended. It writes records and wakes the engine; it reaches no tenant.
//
//	Start, Undo, Retry ─> planning ─(guard)─> held ─(Approve)─> applying ⇄ waiting ─> done
//	                                            └───────── Cancel ─────────> cancelled
//
// Where a run stands between two invocations is its Progress: the engine moves it,
// and so does an admin's decision, so that it is defined here, where both know it.
// Its transitions have names, and its JSON is stored.
//
// A part of a held run is approved by changes, by effects, or by a filter, which is made
// into changes as it is decided (select.go).
//
// Every method that changes something takes who asks for it, and why if they said.
// Under fourEyes nobody approves what they have asked for, by the run or by an edit
// that its plan comes from; declining is free.
package runs
