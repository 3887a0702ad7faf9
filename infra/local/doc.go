// Command local is the whole bundle in one process: the admins' API, the OAuth
// callback, the schedule, the queue, a bbolt table, an encrypted vault, and a
// simulated Microsoft 365 beside it.
//
//	local run    the stack on two ports, state in .local/, until Ctrl-C
//	local demo   the main job once, scripted, without a port, on a fresh folder
//	local verify an export of the activity against its chain, without the table
//
// It joins the same core to other drivers than the Lambda functions do, through
// the same package app; it has no logic of its own that a function would need.
package main
