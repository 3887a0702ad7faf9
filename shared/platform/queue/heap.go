package queue

// messages is a heap of messages, the first to come at its root. Its methods
// are those of container/heap.
type messages []*message

func (h messages) Len() int { return len(h) }

func (h messages) Less(i, j int) bool {
	if c := h[i].due.Compare(h[j].due); c != 0 {
		return c < 0
	}
	return h[i].seq < h[j].seq
}

func (h messages) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *messages) Push(m any) {
	added := m.(*message)
	added.index = len(*h)
	*h = append(*h, added)
}

func (h *messages) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.index = -1
	return m
}
