package bench

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How many seconds a processor takes for something wanders by half with the
// machine and with who else is on it. So rows of CPU time are ratios to a floor:
// what cannot be left out, however the rest is made, such as decoding the same
// pages with encoding/json. Each time that something is measured, its floor is
// measured beside it, and the middle one of these ratios counts.

// tries is how often something is measured.
const tries = 5

// cost is a CPU time and its floor.
type cost struct{ took, floor time.Duration }

func (c cost) ratio() float64 { return c.took.Seconds() / c.floor.Seconds() }

// String says what the ratio was made of.
func (c cost) String() string {
	return fmt.Sprintf("%.2f s ÷ %.2f s", c.took.Seconds(), c.floor.Seconds())
}

// againstFloor measures both in turn, on one processor, and returns the try with
// the middle ratio.
func againstFloor(tries int, floor, do func() time.Duration) cost {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	list := make([]cost, tries)
	for i := range list {
		list[i] = cost{floor: floor(), took: do()}
	}
	slices.SortFunc(list, func(a, b cost) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return list[tries/2]
}

// cpuOf returns a function that measures the CPU time of something, after a
// collection of what others left.
func cpuOf(t *testing.T, do func()) func() time.Duration {
	return func() time.Duration {
		runtime.GC()
		begun := cpuTime(t)
		do()
		return cpuTime(t) - begun
	}
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// decodeAll decodes documents into what fits any.
func decodeAll(t *testing.T, documents [][]byte) func() {
	return func() {
		for _, raw := range documents {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// readLines reads a CSV file and encodes each of its lines as JSON.
func readLines(t *testing.T, file string) func() {
	return func() {
		lines := csv.NewReader(strings.NewReader(file))
		lines.ReuseRecord, lines.FieldsPerRecord = true, -1
		for {
			line, err := lines.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				_, err = json.Marshal(line)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
