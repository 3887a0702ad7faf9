package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// MaxPart is how many bytes one stored part of a job's input has at most.
const MaxPart = 250 << 10

// Parts cuts a list into JSON arrays that fit into parts of a job's input.
func Parts[T any](list []T) ([][]byte, error) {
	var parts [][]byte
	var part []byte
	for _, v := range list {
		data, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("job input: %w", err)
		}
		if part != nil && len(part)+len(data)+2 > MaxPart {
			parts = append(parts, append(part, ']'))
			part = nil
		}
		if part == nil {
			part = append(part, '[')
		} else {
			part = append(part, ',')
		}
		part = append(part, data...)
	}
	if part != nil {
		parts = append(parts, append(part, ']'))
	}
	return parts, nil
}

// Place is a place in the list that the parts of a job's input hold.
type Place struct {
	Part  int `json:"part"`
	Index int `json:"index"`
}

// List reads the list that Parts has cut up. It remembers the part that it read
// last.
type List[T any] struct {
	part  []T
	index int
	read  bool
}

// Window reads up to n elements of a job's list from a place on, and the place
// behind them; none when the list has ended.
func (l *List[T]) Window(ctx context.Context, j *Job, at Place, n int) ([]T, Place, error) {
	for at.Part < j.Inputs {
		part, err := l.load(ctx, j, at.Part)
		if err != nil {
			return nil, at, err
		}
		if at.Index < len(part) {
			end := min(at.Index+n, len(part))
			return slices.Clone(part[at.Index:end]), Place{at.Part, end}, nil
		}
		at = Place{Part: at.Part + 1}
	}
	return nil, at, nil
}

func (l *List[T]) load(ctx context.Context, j *Job, n int) ([]T, error) {
	if l.read && l.index == n {
		return l.part, nil
	}
	data, err := j.Part(ctx, n)
	if err != nil {
		return nil, err
	}
	var part []T
	if err := json.Unmarshal(data, &part); err != nil {
		return nil, fmt.Errorf("job input %d: %w", n, err)
	}
	l.part, l.index, l.read = part, n, true
	return part, nil
}
