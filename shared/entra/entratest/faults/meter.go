package faults

import "time"

// meter counts what is used of one limit.
type meter interface {
	// take counts an amount and returns the share that is used now, 0 to 1; or counts
	// what is left and returns after what wait the amount would have been let through.
	take(now time.Time, amount float64) (share float64, wait time.Duration)
	giveBack(amount float64)
}

// meter makes the meter of a rate, of which nothing is used.
func (r Rate) meter(now time.Time) meter {
	if r.Window {
		return &window{rate: r}
	}
	return &bucket{rate: r, left: r.Capacity, at: now}
}

// bucket is a token bucket.
type bucket struct {
	rate Rate
	left float64
	at   time.Time // when it was filled
}

func (b *bucket) take(now time.Time, amount float64) (float64, time.Duration) {
	b.left = min(b.rate.Capacity, b.left+now.Sub(b.at).Seconds()*b.rate.speed())
	b.at = now
	if b.left < amount {
		b.left = 0
		return 1, time.Duration(amount / b.rate.speed() * float64(time.Second))
	}
	b.left -= amount
	return 1 - b.left/b.rate.Capacity, 0
}

func (b *bucket) giveBack(amount float64) { b.left = min(b.rate.Capacity, b.left+amount) }

// grains is how finely a window tells times apart: what was taken within so small a
// part of it is counted as one, at the later time.
const grains = 1000

// window is a sliding window.
type window struct {
	rate  Rate
	uses  []use // oldest first
	total float64
}

// use is what was taken within a grain of time.
type use struct {
	from, at time.Time // the first and the last that was taken
	amount   float64
}

func (w *window) take(now time.Time, amount float64) (float64, time.Duration) {
	w.forget(now)
	room := w.rate.Capacity - w.total
	if room < amount {
		w.add(now, room)
		return 1, w.wait(now, amount)
	}
	w.add(now, amount)
	return w.total / w.rate.Capacity, 0
}

// forget drops what has left the window.
func (w *window) forget(now time.Time) {
	for len(w.uses) > 0 && now.Sub(w.uses[0].at) >= w.rate.Per {
		w.total -= w.uses[0].amount
		w.uses = w.uses[1:]
	}
}

func (w *window) add(now time.Time, amount float64) {
	if amount <= 0 {
		return
	}
	w.total += amount
	if n := len(w.uses); n > 0 && now.Sub(w.uses[n-1].from) < w.rate.Per/grains {
		w.uses[n-1].at = now
		w.uses[n-1].amount += amount
		return
	}
	w.uses = append(w.uses, use{now, now, amount})
}

// wait is how long it takes until an amount fits.
func (w *window) wait(now time.Time, amount float64) time.Duration {
	room := w.rate.Capacity - w.total
	for _, u := range w.uses {
		room += u.amount
		if room >= amount {
			return u.at.Add(w.rate.Per).Sub(now)
		}
	}
	return w.rate.Per
}

func (w *window) giveBack(amount float64) {
	for n := len(w.uses) - 1; n >= 0 && amount > 0; n-- {
		back := min(amount, w.uses[n].amount)
		w.uses[n].amount -= back
		w.total -= back
		amount -= back
	}
}
