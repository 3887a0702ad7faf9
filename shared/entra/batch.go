package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	abs "github.com/microsoft/kiota-abstractions-go"

	"bindery/shared/directory"
)

// batchPath is the path of a batch.
const batchPath = "/$batch"

// batchSize is how many requests Graph takes in one batch.
const batchSize = 20

// batchItem is one request of a batch.
type batchItem struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`

	DependsOn []string `json:"dependsOn,omitempty"`
	inTurn    bool     // it waits for the item ahead of it, if there is one
}

// batchAnswer is the answer to one item; its status is 0 when there is none.
type batchAnswer struct {
	status int
	header http.Header
	body   []byte
}

// batch sends at most batchSize items that do not depend on each other and
// returns their answers in the same order. An error concerns all items. Items
// that were refused with 401 are sent once more with a renewed token: a 401
// proves that nothing was done.
func (t *Tenant) batch(ctx context.Context, call *call, items []batchItem) ([]batchAnswer, error) {
	answers, err := t.post(ctx, call, items)
	if err != nil {
		return nil, err
	}
	var again []int
	for i := range answers {
		if answers[i].status == http.StatusUnauthorized {
			again = append(again, i)
		}
	}
	if slices.ContainsFunc(answers, func(a batchAnswer) bool { return a.status >= 200 && a.status < 300 }) {
		call.accepted(ctx)
	}
	if len(again) == 0 {
		return answers, nil
	}
	all := len(again) == len(items)
	if err := call.renew(ctx); err != nil {
		if all {
			call.sent = false
			return nil, err
		}
		return answers, nil
	}
	second := make([]batchItem, len(again))
	for n, i := range again {
		second[n] = items[i]
	}
	repeated, err := t.post(ctx, call, second)
	if err != nil && all {
		return nil, err
	}
	for n, i := range again {
		switch {
		case err == nil:
			answers[i] = repeated[n]
		case call.sent:
			answers[i] = batchAnswer{} // nobody knows
		}
	}
	err = refusedAll(answers)
	if _, accounts := call.tokens.(accountant); err != nil && accounts {
		if unusable := call.renew(ctx); unusable != nil {
			call.sent = false
			return nil, unusable
		}
	}
	if err == nil && slices.ContainsFunc(again, func(i int) bool { return answers[i].status >= 200 && answers[i].status < 300 }) {
		call.accepted(ctx)
	}
	return answers, err
}

// refusedAll is a *refusal when every item was refused with 401.
func refusedAll(answers []batchAnswer) error {
	for _, a := range answers {
		if a.status != http.StatusUnauthorized {
			return nil
		}
	}
	return &refusal{status: http.StatusUnauthorized, header: answers[0].header, body: answers[0].body}
}

// post sends one batch.
func (t *Tenant) post(ctx context.Context, call *call, items []batchItem) ([]batchAnswer, error) {
	for i := range items {
		if items[i].Method == http.MethodDelete && !deletable(items[i].URL) {
			return nil, fmt.Errorf("%w: a DELETE that is none of ours: %w", directory.ErrNotSent, directory.ErrInvalid)
		}
		items[i].ID, items[i].DependsOn = strconv.Itoa(i+1), nil
		if items[i].inTurn && i > 0 {
			items[i].DependsOn = []string{items[i-1].ID}
		}
		if items[i].Headers == nil {
			items[i].Headers = make(map[string]string, 3)
		}
		items[i].Headers["client-request-id"] = uuid.NewString()
		items[i].Headers["x-ms-throttle-priority"] = call.priority
	}
	body, err := json.Marshal(struct {
		Requests []batchItem `json:"requests"`
	}{items})
	if err != nil {
		return nil, fmt.Errorf("encode a batch: %w", err)
	}
	u, err := t.graph.at(batchPath)
	if err != nil {
		return nil, err
	}
	raw, err := t.graph.send(ctx, request{method: abs.POST, url: u, body: body})
	// An older Graph answers 424 for the envelope when an item was throttled.
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusFailedDependency {
		if answers, e := decodeBatch(r.body, len(items)); e == nil {
			return answers, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return decodeBatch(raw, len(items))
}

// deletableRE are all paths that are ever deleted. A membership's without its /$ref
// would delete the person.
var deletableRE = directory.Pattern(`^/(?:users/ID|groups/ID|groups/ID/members/ID/\$ref|users/ID/manager/\$ref)$`)

func deletable(path string) bool {
	return deletableRE().MatchString(guidRE().ReplaceAllString(path, "ID"))
}

// deletes reports whether a request deletes something by itself: what is deleted goes
// by batches, whose items are held against the list.
func deletes(r *http.Request) bool { return r.Method == http.MethodDelete }

// decodeBatch sorts the answers, which come in any order.
func decodeBatch(raw []byte, n int) ([]batchAnswer, error) {
	var envelope struct {
		Responses []struct {
			ID      string          `json:"id"`
			Status  int             `json:"status"`
			Headers map[string]any  `json:"headers"`
			Body    json.RawMessage `json:"body"`
		} `json:"responses"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return nil, fmt.Errorf("%w: the answers of a batch", errJSON)
	}
	if envelope.Responses == nil {
		return nil, fmt.Errorf("%w: a batch without answers", errJSON)
	}
	answers := make([]batchAnswer, n)
	for _, r := range envelope.Responses {
		i, err := strconv.Atoi(r.ID)
		if err != nil || i < 1 || i > n {
			continue
		}
		h := make(http.Header, len(r.Headers))
		for k, v := range r.Headers {
			h.Set(k, fmt.Sprint(v))
		}
		answers[i-1] = batchAnswer{status: r.Status, header: h, body: r.Body}
	}
	return answers, nil
}

// classify says what an item's error means.
func (a *batchAnswer) classify(q asked) verdict { return classify(a.status, a.header, a.body, q) }

// again says whether an item that failed may be tried again, and after how long;
// 0 when Microsoft asks for no wait.
func (a *batchAnswer) again(v verdict, now time.Time) (retry bool, wait time.Duration) {
	wait, asked := retryAfter(a.header, now)
	if !asked && !v.throttled {
		wait = 0
	}
	return v.retry || v.unknown, wait
}
