// Package storetest is the conformance suite of the store: what the core relies on
// of its records, as tests that run over every driver of the table. What a driver
// promises by itself is tested by package tabletest; here it is whether the
// records built on it keep their invariants: one binding a user, one holder a
// claim, no write after a lease or an epoch has passed, each edit once.
package storetest
