package admin

import (
	"context"

	"bindery/shared/api/endpoint"
)

// MaxAnswer is how many bytes an answer's body may have. Lambda gives back 6 MB
// of JSON, in which a body is escaped or in base64: this much fits whatever it
// holds (boot sees to the form).
const MaxAnswer = 4_400_000

// shorten reads a page of at most limit items, and again with fewer while its
// encoded form is larger than an answer may be: the page is shorter then and has
// a next. read returns how many items the page has. A single item is given as
// it is, and so is a page that a smaller limit does not make smaller.
func (a *API) shorten(limit int, read func(limit int) (n int, data []byte, err error)) ([]byte, error) {
	for {
		n, data, err := read(limit)
		if err != nil || len(data) <= a.most || n <= 1 {
			return data, err
		}
		// As many as would fit if all were of one size, less a tenth.
		fewer := max(1, min(n-1, int(int64(n)*int64(a.most)/int64(len(data))*9/10)))
		if fewer >= limit {
			return data, nil
		}
		limit = fewer
	}
}

// listOf answers with a page of a list that is small enough. read gives the place of
// the next page as the core has it.
func listOf[T any](ctx context.Context, a *API, limit int, read func(limit int) (items []T, next string, err error)) (*listOutput[T], error) {
	out := &listOutput[T]{}
	data, err := a.shorten(limit, func(limit int) (int, []byte, error) {
		items, place, err := read(limit)
		if err != nil {
			return 0, nil, err
		}
		next, err := listingOf(ctx).seal(place)
		if err != nil {
			return 0, nil, err
		}
		out.Body = list[T]{Items: orEmpty(items), Next: next}
		data, err := endpoint.JSON(out.Body)
		return len(items), data, err
	})
	out.Body.encoded = data
	return out, err
}
