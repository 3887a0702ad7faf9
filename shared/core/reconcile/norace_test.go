//go:build !race

package reconcile

const crashStride = 1
