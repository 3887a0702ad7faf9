// Package demo is the main job once, as a story: a tenant is connected, people are
// loaded, imported, bound and synchronised; mistakes are made and taken back; an
// identity provider pushes people; the connection ends and begins again. Each chapter
// calls the API as an admin would, and checks both sides against each other.
//
// Run plays it on a laptop's stack (make demo). The tests of this package play the
// same story on AWS's engines (make test-aws) and over the real binaries (make
// test-lambda).
package demo
