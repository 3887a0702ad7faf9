package quota

import (
	"math"
	"time"

	"bindery/shared/directory"
)

const (
	// firstWidth is how many requests go out at once in a tenant of which nothing
	// is known, as many as careful scripts send; mostWidth how many at most.
	firstWidth = 4
	mostWidth  = 8
	// triedSize is the size of some requests of much work: what an item costs shows
	// only in requests of different sizes.
	triedSize = batchSize / 2
	// longest is how long a request may be expected to take, since a leaver waits
	// for what is in flight.
	longest = time.Second
	// between is about how long we need ourselves from one flight to the next.
	between = 50 * time.Millisecond
	// worthwhile is what share of the time smaller requests may take at most, to be
	// worth their number.
	worthwhile = 0.98
)

const (
	// flightFades is what is left of the weight of earlier requests after one more
	// flight, halfLife after what time half of it is.
	flightFades = 0.9
	halfLife    = 2 * time.Minute
	// widthLife is how long a width is good that nobody has used.
	widthLife = 15 * time.Minute
	// enoughRequests is from what weight of requests on their time is known, and
	// manyRequests from what weight on nothing else goes out meanwhile.
	enoughRequests = 1.0
	manyRequests   = 10.0
	// enoughSpread is from what spread of the requests' sizes on the cost of an item
	// is known, and doubt the spread that stands for its costing nothing: a few noisy
	// requests do not make batches dear. Both are by the square of the mean size.
	enoughSpread = 0.15
	doubt        = 0.02
	// slow is by what factor a flight may be slower than expected before it widens
	// no further, and what a single slow request counts at most.
	slow = 2.0
)

// Flow is how writes go out: so many requests at once, of so many writes each.
type Flow struct{ Width, Size int }

// Answer is how one request of a flight went.
type Answer struct {
	Writes  int
	Took    time.Duration // from sending to answer
	Refused bool          // 429, 503 or no answer, of the request or of any of its items
}

// Flow says how work goes out best that has so many writes left: in the least time
// that the last minutes' requests let expect, not for longer than about a second at
// once, and no more than the tenant's quota has at the moment; one request, which has
// to wait for the quota, when it has none.
func (t Tenant) Flow(waiting int) Flow {
	f := t.flow()
	n := min(waiting, max(batchSize, t.room(Work{Left: waiting})))
	width := f.Width
	if tried := f.trySize(); tried > 0 && n > 2*batchSize {
		return Flow{min(width, n/tried), tried}
	}
	fewest, most := f.sizes()
	best, least := Flow{1, fewest}, math.Inf(1)
	for size := most; size >= fewest; size-- {
		flight := f.takes(size)
		if size > fewest && flight > longest {
			continue
		}
		requests := ceil(n, size)
		if all := float64(ceil(requests, width)) * (between + flight).Seconds(); all < worthwhile*least {
			best, least = Flow{min(width, requests), size}, all
		}
	}
	if best.Width*best.Size > n && n < waiting {
		best.Size = n / best.Width // the quota has no more
	}
	return best
}

// Answered learns from the requests of a flight, which were under way at once.
func (t Tenant) Answered(flight []Answer) {
	f := t.flow()
	took, expected := time.Duration(0), time.Duration(0)
	good := 0
	for _, a := range flight {
		if !a.Refused {
			good++
			took += a.Took
			expected += f.takes(a.Writes)
		}
	}
	known := f.N >= enoughRequests
	f.fade(flightFades)
	for _, a := range flight {
		if !a.Refused {
			f.learn(a)
		}
	}
	switch full := len(flight) >= f.Width; {
	case good < len(flight):
		f.narrow()
	case full && !(known && took.Seconds() > slow*expected.Seconds()):
		f.widen()
	}
	t.q.Flow = f.rounded(t.now)
}

// flow is what is known of the tenant's requests, which is less and less when it is
// not used.
type flow struct{ directory.TenantFlow }

func (t Tenant) flow() *flow {
	f := &flow{t.q.Flow}
	since := max(0, t.now.Sub(time.Unix(f.At, 0)))
	if since > widthLife || f.Width < 1 || f.Size < 1 {
		return &flow{directory.TenantFlow{Width: firstWidth, Size: batchSize}}
	}
	f.fade(math.Pow(0.5, since.Seconds()/halfLife.Seconds()))
	return f
}

// sizes are those that may be right for a request, at most twice as many or half as
// many writes as in the last ones.
func (f *flow) sizes() (fewest, most int) {
	if f.N < enoughRequests {
		return 1, f.Size
	}
	return max(1, min(f.Size, int(f.X/2))), f.largest()
}

func (f *flow) largest() int {
	most := max(2, int(2*f.X))
	if f.N < manyRequests {
		most = max(most, triedSize)
	}
	return min(most, f.Size)
}

// trySize is the size of requests that would show what an item costs; 0 when that is
// known.
func (f *flow) trySize() int {
	switch {
	case f.N < enoughRequests || f.XX >= enoughSpread*f.X*f.X || f.Size < batchSize:
		return 0
	case f.takes(int(f.X)) > longest/2:
		return max(1, int(f.X/2))
	case f.X < 1.2*triedSize:
		return f.largest()
	case f.N < manyRequests/2:
		return 0 // a little work is over before it is worth it
	}
	return triedSize
}

// takes is how long a request of so many writes is expected to take.
func (f *flow) takes(writes int) time.Duration {
	if f.N < enoughRequests {
		return 0
	}
	item := f.XY / (f.XX + doubt*f.X*f.X)
	return time.Duration(max(f.Y/4, f.Y+item*(float64(writes)-f.X)) * float64(time.Millisecond))
}

// learn adds a request to the means and their spreads, where X is writes and Y
// milliseconds.
func (f *flow) learn(a Answer) {
	x, y := float64(a.Writes), a.Took.Seconds()*1000
	if f.N >= enoughRequests {
		expected := max(f.takes(a.Writes).Seconds()*1000, 1)
		y = min(y, 2*slow*expected)
	}
	f.N++
	dx := x - f.X
	f.X += dx / f.N
	f.Y += (y - f.Y) / f.N
	f.XX += dx * (x - f.X)
	f.XY += dx * (y - f.Y)
}

func (f *flow) fade(left float64) {
	f.N *= left
	f.XX *= left
	f.XY *= left
}

// narrow halves the width, and below one request its size.
func (f *flow) narrow() {
	f.Careful = true
	if f.Width > 1 {
		f.Width = f.Width / 2
		return
	}
	f.Size = max(1, f.Size/2)
}

// widen lets the next flight be wider: quickly until the tenant has once refused.
func (f *flow) widen() {
	if f.Size < batchSize {
		f.Size = min(batchSize, 2*f.Size)
		return
	}
	more := 1
	if !f.Careful {
		more = (f.Width + 1) / 2
	}
	f.Width = min(mostWidth, f.Width+more)
}

// rounded is what is kept of it.
func (f *flow) rounded(now time.Time) directory.TenantFlow {
	for _, v := range []*float64{&f.N, &f.X, &f.Y, &f.XX, &f.XY} {
		*v = math.Round(*v*100) / 100
	}
	f.At = now.Unix()
	return f.TenantFlow
}

func ceil(n, by int) int { return (n + by - 1) / by }
