// Package stacktest is the whole of Bindery for tests: a stack in one process with
// simulated tenants, called as an admin calls it. On AWS's engines it works with
// the drivers that AWS gives it.
package stacktest
