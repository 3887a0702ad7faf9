// Package schedule finds out, every few minutes, which connections and jobs have
// work that nobody is doing, and wakes them. It does none of the work itself.
package schedule
