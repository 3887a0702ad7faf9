// Package odata is the protocol that Microsoft Graph speaks: it takes paths, query
// options, batches and the tokens of pages and delta queries apart, and evaluates
// $filter, $search and $orderby. It is pure: text in, values or an [Error] out, with
// no clock, no state and no knowledge of users or groups.
//
// What a name means is the caller's to say: a parser that meets the name of a
// property hands it to a function of the caller, which resolves or refuses it, and
// what was parsed is evaluated over a function that gives the values. So a new type
// of resource needs nothing here.
//
// An [Error] is an answer in Graph's form and no Go error: functions return
// *Error, nil when there is nothing to refuse.
package odata
