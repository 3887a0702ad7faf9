package console

// bothEdits brings together what two have made of one form's fields at once, by the names of
// the fields: typed is what stands in the form that is sent, was what the form was made of,
// now what there is by now. A field that was not touched takes what it is now. What both have
// changed, each into something else, stays as it was typed and is among theirs, with what it
// is now; so is what differs in a form that does not tell what it was made of.
func bothEdits(typed, was, now map[string]string) (merged, theirs map[string]string) {
	merged, theirs = map[string]string{}, map[string]string{}
	for name, value := range typed {
		old, known := was[name]
		merged[name] = value
		switch {
		case value == now[name]:
		case known && value == old:
			merged[name] = now[name]
		case !known || now[name] != old:
			theirs[name] = now[name]
		}
	}
	return merged, theirs
}
