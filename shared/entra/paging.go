package entra

import (
	"iter"
	"net/url"

	"bindery/shared/directory"
)

// page is one page of a collection.
type page[T any] struct {
	items []T
	ids   []string // of the items, in the same order
	next  string   // the link to the next page; empty on the last
}

// items yields the items of a collection, each once: those of the first page, and of
// the pages that its links lead to, which read reads. what is what they are. After an
// error nothing follows; that pages turn in a circle is a *directory.Problem with
// CodePagingLoop.
func items[T any](g *Graph, what string, first page[T], read func(link *url.URL) (page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		var progress directory.Paging
		for p := first; ; {
			fresh, loop := progress.Add(what, p.ids, p.next)
			for _, i := range fresh {
				if !yield(p.items[i], nil) {
					return
				}
			}
			if loop != nil {
				yield(none, loop)
				return
			}
			if p.next == "" {
				return
			}
			link, err := g.follow(p.next)
			if err == nil {
				p, err = read(link)
			}
			if err != nil {
				yield(none, err)
				return
			}
		}
	}
}

// collect is all items of a collection.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}
