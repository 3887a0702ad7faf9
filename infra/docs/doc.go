// Package docs holds the documents of the repository: what stands in them is
// true, or a test fails.
//
//	documents.go   the documents, their fenced blocks, links and marks
//	shell.go       runs the blocks marked sh: a shell, curl and jq in Go
//	picture.go     draws the flow of the README, flow.svg
//
// The tests here hold what needs no running Bindery: links and anchors, one click
// from the README to each document, make targets and flags, words marked as code,
// what commands name, numbers of invariants and of facts about Microsoft, the lists
// of packages and folders, the picture. The commands are run where the local stack
// is at hand (TestDocuments).
//
// # Marks
//
// What a test must know of a document is a comment in it, which readers do not see:
//
//	<!-- not run: reason -->              before a block: it is only checked
//	<!-- answers: 404 photo-not-found --> before a block: which refusals it may meet
//	<!-- says: "active" -->               behind a block: what its output contains
//	<!-- by hand: sign in as <name> -->   what a person does in between, in a browser
//
// A block without a language is text; one that holds commands must say so.
package docs
