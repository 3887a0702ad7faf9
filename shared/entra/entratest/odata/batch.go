package odata

import (
	"encoding/json"
	"slices"
	"strings"
)

// maxBatch is how many items a batch may have.
const maxBatch = 20

// Item is one item of a batch as it is sent.
type Item struct {
	ID        string
	Method    string
	URL       string
	Headers   map[string]string
	Body      []byte // nil: none
	DependsOn []string
}

// ParseBatch reads and checks the envelope of a batch.
func ParseBatch(body []byte) ([]Item, *Error) {
	var in struct {
		Requests []struct {
			ID        *string           `json:"id"`
			Method    string            `json:"method"`
			URL       string            `json:"url"`
			Headers   map[string]string `json:"headers"`
			Body      json.RawMessage   `json:"body"`
			DependsOn []string          `json:"dependsOn"`
		} `json:"requests"`
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.Requests) == 0 {
		return nil, BadRequest("Invalid batch payload format.")
	}
	if len(in.Requests) > maxBatch {
		return nil, BadRequest("Number of batch request steps exceeds the maximum value of %d.", maxBatch)
	}
	var items []Item
	var seen []string
	for _, r := range in.Requests {
		if r.ID == nil || *r.ID == "" {
			return nil, BadRequest("Every batch request step needs an id.")
		}
		id := strings.ToLower(*r.ID)
		if slices.Contains(seen, id) {
			return nil, BadRequest("Request Id %s has to be unique in a batch.", *r.ID)
		}
		for _, on := range r.DependsOn {
			if !slices.Contains(seen, strings.ToLower(on)) {
				return nil, BadRequest("The dependsOn of request %s names '%s', which is not an earlier request of the batch.", *r.ID, on)
			}
		}
		seen = append(seen, id)
		if r.Method == "" || r.URL == "" {
			return nil, BadRequest("Request %s needs a method and a url.", *r.ID)
		}
		item := Item{*r.ID, strings.ToUpper(r.Method), r.URL, r.Headers, r.Body, r.DependsOn}
		if string(r.Body) == "null" {
			item.Body = nil
		}
		items = append(items, item)
	}
	return items, nil
}

// Address is the path and the query of an item, which must be relative.
func (it Item) Address() (path, query string, e *Error) {
	path, query, _ = strings.Cut(it.URL, "?")
	if strings.Contains(path, "://") {
		return "", "", BadRequest("The url of a batch request step must be relative.")
	}
	return "/" + strings.TrimPrefix(path, "/"), query, nil
}

// ItemHeader spells a header as Microsoft does in a batch.
func ItemHeader(name string) string {
	lower := strings.ToLower(name)
	switch {
	case strings.HasPrefix(lower, "x-ms-"), strings.HasSuffix(lower, "request-id"):
		return lower
	case lower == "odata-version":
		return "OData-Version"
	}
	return name
}
