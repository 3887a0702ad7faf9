package admin

import (
	"context"
	"mime"
	"strconv"
	"strings"

	"bindery/shared/api/endpoint"
)

// document is an answer in a form that the caller chose.
type document struct {
	ContentType string `header:"Content-Type"`
	Link        string `header:"Link"`
	Vary        string `header:"Vary"`
	Body        []byte
}

// forms write a list in other forms than JSON; nil: it has none of that kind.
type forms[T any] struct{ csv, lines func([]T) []byte }

// listIn answers with a page of a list in the form that the caller accepts, small enough.
// read gives the place of the next page as the core has it.
func listIn[T any](ctx context.Context, a *API, accept string, limit int, f forms[T], read func(limit int) (items []T, next string, err error)) (*document, error) {
	doc, next := &document{ContentType: formOf(accept), Vary: "Accept"}, ""
	if doc.ContentType == csvType && f.csv == nil {
		doc.ContentType = jsonType
	}
	var err error
	doc.Body, err = a.shorten(limit, func(limit int) (int, []byte, error) {
		items, place, err := read(limit)
		if err != nil {
			return 0, nil, err
		}
		if next, err = listingOf(ctx).seal(place); err != nil {
			return 0, nil, err
		}
		switch doc.ContentType {
		case csvType:
			return len(items), f.csv(items), nil
		case linesType:
			return len(items), f.lines(items), nil
		}
		data, err := endpoint.JSON(list[T]{Items: orEmpty(items), Next: next})
		return len(items), data, err
	})
	if next != "" && doc.ContentType != jsonType {
		doc.Link = listingOf(ctx).link(next)
	}
	return doc, err
}

// The forms of a list.
const (
	jsonType  = "application/json"
	csvType   = "text/csv; charset=utf-8; header=present"
	linesType = "application/x-ndjson"
	plainType = "text/plain; charset=utf-8"
)

// formOf picks the form of an answer: the one with the highest quality that
// the caller accepts, JSON when nothing says otherwise.
func formOf(accept string) string {
	best, quality := jsonType, 0.0
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q := 1.0
		if text, given := params["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		var form string
		switch media {
		case "text/csv":
			form = csvType
		case "application/x-ndjson", "application/jsonl", "application/x-jsonlines":
			form = linesType
		case "application/json", "application/*", "*/*":
			form = jsonType
		default:
			continue
		}
		if q > quality {
			best, quality = form, q
		}
	}
	return best
}
