// Command local is Bindery on somebody's own machine.
//
//	local run    the whole bundle in one process on two ports, state in .local/, until Ctrl-C
//	local demo   the main job once, scripted, without a port, on a fresh folder
//	local verify an export of the activity against its chain, without the table
//
// Packages stack and demo do the work. The tests here are those of the whole: they
// ask the API as admins do, kill the process, forge the table.
package main
