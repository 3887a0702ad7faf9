// Package workbook reads sheets of Excel workbooks (.xlsx), row by row. Only the
// mains that read files of users link it: the library that it is about is large.
//
//	Open ─> check.go: is it whole, and within measure? ─> Sheet: Skip, Next, Next, Close
//
// What is wrong with a file is a *directory.Refusal, which people read. A sheet
// keeps what it unpacks in memory, or beyond some size in a file that Close
// deletes.
package workbook
