package odata

import "strings"

// SortKey is one property that a listing is sorted by.
type SortKey struct {
	Property   string
	Descending bool
}

// ParseOrder reads $orderby. resolve returns a property by the name in the query, or
// refuses it.
func ParseOrder(text string, resolve func(name string) (string, *Error)) ([]SortKey, *Error) {
	var keys []SortKey
	for _, part := range strings.Split(text, ",") {
		words := strings.Fields(part)
		descending := len(words) == 2 && strings.EqualFold(words[1], "desc")
		ascending := len(words) == 1 || len(words) == 2 && strings.EqualFold(words[1], "asc")
		if !ascending && !descending {
			return nil, BadRequest("Syntax error in $orderby '%s'.", text)
		}
		property, e := resolve(words[0])
		if e != nil {
			return nil, e
		}
		keys = append(keys, SortKey{property, descending})
	}
	return keys, nil
}

// Compare orders two objects by the keys; values return the value of a property.
func Compare(keys []SortKey, a, b func(property string) string) int {
	for _, k := range keys {
		n := strings.Compare(a(k.Property), b(k.Property))
		if n == 0 {
			continue
		}
		if k.Descending {
			return -n
		}
		return n
	}
	return 0
}
