// Package control is the switchboard of the simulated Microsoft 365 over HTTP, under
// /_control: it makes tenants, works in their portal, sets faults, moves the clock
// and shows the requests that were seen. GET /_control lists the routes.
//
// Nothing proves who calls: whoever mounts it keeps web pages of other origins away.
package control
