package admin

import (
	"net/http"

	"bindery/shared/directory"
)

// output is an answer that is a body and no more.
type output[T any] struct{ Body T }

// accepted is the answer to what is done later.
type accepted struct {
	Status   int
	Location string `header:"Location"`
	Body     any
}

func acceptedRun(r directory.Run, err error) (*accepted, error) {
	return &accepted{http.StatusAccepted, runPath(r.ID), viewRun(r)}, err
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
