// Package faults is what goes wrong at the simulated Microsoft, as documented and on
// demand: the limits of Graph, as token buckets or sliding windows, with the
// cost of each call ([Limiter], [Price]), and the faults that a test sets ([Set], [Fault]).
//
// It decides and never acts: a call asks whether a fault strikes it, and does itself
// what the fault's kind says. A new kind is a constant here, a row in the README of
// entratest, and a Strike at the place where it befalls a call.
package faults
