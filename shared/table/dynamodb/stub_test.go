package dynamodb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/table"
	driver "bindery/shared/table/dynamodb"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

// stub answers each call with the next planned error, then with nil. It plays
// what no local engine does. The methods that a test does not plan for panic.
type stub struct {
	driver.Client
	errs  []error
	calls []string
	// tokens are those of the transactions, in order.
	tokens []string
	batch  func(in *dynamodb.BatchGetItemInput) *dynamodb.BatchGetItemOutput
	query  *dynamodb.QueryOutput
	asked  *dynamodb.QueryInput
}

func (s *stub) next(call string) error {
	s.calls = append(s.calls, call)
	if len(s.errs) == 0 {
		return nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func (s *stub) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{}, s.next("get")
}

func (s *stub) PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return nil, s.next("put")
}

func (s *stub) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	s.tokens = append(s.tokens, aws.ToString(in.ClientRequestToken))
	return nil, s.next("transact")
}

func (s *stub) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	if err := s.next("batch"); err != nil {
		return nil, err
	}
	return s.batch(in), nil
}

func (s *stub) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	s.asked = in
	return s.query, s.next("query")
}

// attributes is a stored item with a version, and places in index 1.
func attributes(sort, place string) map[string]types.AttributeValue {
	a := map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: "p"}, "sk": &types.AttributeValueMemberS{Value: sort},
		"ver": &types.AttributeValueMemberN{Value: "7"},
	}
	if place != "" {
		a["i1p"], a["i1s"] = &types.AttributeValueMemberS{Value: "i"}, &types.AttributeValueMemberS{Value: place}
	}
	return a
}

func cancelled(codes ...string) error {
	err := &types.TransactionCanceledException{}
	for _, code := range codes {
		reason := types.CancellationReason{Code: aws.String(code)}
		if sort, ok := strings.CutPrefix(code, "ConditionalCheckFailed "); ok {
			reason.Code, reason.Item = aws.String("ConditionalCheckFailed"), attributes(sort, "")
		}
		if code == "ValidationError" {
			reason.Message = aws.String("Item size to update has exceeded the maximum allowed size")
		}
		err.CancellationReasons = append(err.CancellationReasons, reason)
	}
	return err
}

func api(code string) error { return &smithy.GenericAPIError{Code: code, Message: "no"} }

func puts(sorts ...string) []table.Write {
	out := make([]table.Write, len(sorts))
	for i, s := range sorts {
		out[i].Put = &table.Item{Key: table.Key{Partition: "p", Sort: s}}
	}
	return out
}

func repeat(err error, n int) []error { return slices.Repeat([]error{err}, n) }

func TestWriteFaults(t *testing.T) {
	unknown := errors.New("unknown")
	one, two := puts("a"), puts("a", "b", "c")
	for _, test := range []struct {
		name   string
		writes []table.Write
		errs   []error
		want   error // unknown for one that is none of the sentinels
		calls  int
	}{
		{"throttled once", one, []error{&types.ProvisionedThroughputExceededException{}}, nil, 2},
		{"throttled by the account", one, []error{&types.RequestLimitExceeded{}, &types.ThrottlingException{}, api("ThrottlingException")}, nil, 4},
		{"in collision", one, []error{&types.TransactionConflictException{}}, nil, 2},
		{"in collision for good", one, repeat(&types.TransactionConflictException{}, 20), table.ErrBusy, 8},
		{"refused", one, []error{api("AccessDeniedException")}, unknown, 1},
		{"server's fault", one, []error{&types.InternalServerError{}}, unknown, 1},
		{"too large", one, []error{&smithy.GenericAPIError{Code: "ValidationException", Message: "Item size has exceeded the maximum allowed size"}}, table.ErrTooLarge, 1},
		{"transaction: collision", two, []error{cancelled("None", "TransactionConflict", "None")}, nil, 2},
		{"transaction: throttled", two, []error{cancelled("ThrottlingError", "None", "None"), cancelled("None", "None", "ProvisionedThroughputExceeded")}, nil, 3},
		{"transaction: in progress", two, []error{&types.TransactionInProgressException{}}, nil, 2},
		{"transaction: in progress for good, so perhaps done", two, repeat(&types.TransactionInProgressException{}, 20), unknown, 8},
		{"transaction: for good", two, repeat(cancelled("TransactionConflict", "TransactionConflict", "None"), 20), table.ErrBusy, 8},
		{"transaction: wrong", two, []error{cancelled("None", "ItemCollectionSizeLimitExceeded", "TransactionConflict")}, unknown, 1},
		{"transaction: too large", two, []error{cancelled("None", "ValidationError", "None")}, table.ErrTooLarge, 1},
		{"transaction: no reasons", two, []error{cancelled()}, unknown, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{errs: test.errs}
				err := driver.New(s, "t").Write(t.Context(), test.writes...)
				isKnown := errors.Is(err, table.ErrBusy) || errors.Is(err, table.ErrTooLarge)
				if isUnknown := errors.Is(test.want, unknown); isUnknown && (err == nil || isKnown) || !isUnknown && !errors.Is(err, test.want) {
					t.Errorf("Write = %v, want %v", err, test.want)
				}
				if len(s.calls) != test.calls {
					t.Errorf("%d calls, want %d", len(s.calls), test.calls)
				}
			})
		})
	}
}

func TestConditionFailed(t *testing.T) {
	for _, test := range []struct {
		name    string
		writes  []table.Write
		err     error
		failed  []int
		current []string // sort keys, "" for none
	}{
		{"one", puts("a"), &types.ConditionalCheckFailedException{Item: attributes("a", "")}, []int{0}, []string{"a"}},
		{"one, nothing there", puts("a"), &types.ConditionalCheckFailedException{}, []int{0}, []string{""}},
		{"some", puts("a", "b", "c"), cancelled("ConditionalCheckFailed", "None", "ConditionalCheckFailed c"), []int{0, 2}, []string{"", "c"}},
		{"with a collision", puts("a", "b", "c"), cancelled("TransactionConflict", "ConditionalCheckFailed b", "None"), []int{1}, []string{"b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &stub{errs: []error{test.err}}
			err := driver.New(s, "t").Write(t.Context(), test.writes...)
			var refused *table.ConditionError
			if !errors.As(err, &refused) || !slices.Equal(refused.Failed, test.failed) || len(s.calls) != 1 {
				t.Fatalf("Write = %v after %d calls, want failed %v after one", err, len(s.calls), test.failed)
			}
			for i, want := range test.current {
				got := refused.Current[i]
				if (got == nil) != (want == "") || got != nil && (got.Sort != want || got.Version != 7) {
					t.Errorf("Current[%d] = %+v, want %q", i, got, want)
				}
			}
		})
	}
}

// TestBackoff wants the tries to end with the context, and within seconds.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &stub{errs: repeat(&types.ProvisionedThroughputExceededException{}, 100)}
		if _, err := driver.New(s, "t").Get(t.Context(), table.Key{Partition: "p", Sort: "s"}); !errors.Is(err, table.ErrBusy) {
			t.Errorf("Get = %v, want ErrBusy", err)
		}
		if took := time.Since(start); took < time.Second || took > 10*time.Second {
			t.Errorf("gave up after %v, want seconds", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		err := driver.New(s, "t").Write(ctx, puts("a")...)
		if !errors.Is(err, table.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v, want ErrBusy and the context's error", err)
		}
		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("gave up after %v, want 100ms", took)
		}
	})
}

// TestUnprocessed answers a batch read bit by bit.
func TestUnprocessed(t *testing.T) {
	keys := make([]table.Key, 10)
	for i := range keys {
		keys[i] = table.Key{Partition: "p", Sort: fmt.Sprint(i)}
	}
	answer := func(take int) func(*dynamodb.BatchGetItemInput) *dynamodb.BatchGetItemOutput {
		return func(in *dynamodb.BatchGetItemInput) *dynamodb.BatchGetItemOutput {
			ask := in.RequestItems["t"]
			if !aws.ToBool(ask.ConsistentRead) {
				t.Error("a batch read is not consistent")
			}
			n := min(take, len(ask.Keys))
			out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{}}
			for _, k := range ask.Keys[:n] {
				out.Responses["t"] = append(out.Responses["t"], attributes(k["sk"].(*types.AttributeValueMemberS).Value, ""))
			}
			if n < len(ask.Keys) {
				ask.Keys = ask.Keys[n:]
				out.UnprocessedKeys = map[string]types.KeysAndAttributes{"t": ask}
			}
			return out
		}
	}
	for _, test := range []struct {
		name  string
		take  int
		errs  []error
		want  int
		calls int
	}{
		{"all", 10, nil, 10, 1},
		{"one by one", 1, nil, 10, 10},
		{"throttled in between", 4, []error{nil, &types.ThrottlingException{}}, 10, 4},
		{"nothing, ever", 0, nil, -1, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{batch: answer(test.take), errs: test.errs}
				got, err := driver.New(s, "t").GetMany(t.Context(), append(keys, keys[3]))
				if test.want < 0 {
					if !errors.Is(err, table.ErrBusy) {
						t.Errorf("GetMany = %v, want ErrBusy", err)
					}
				} else if err != nil || len(got) != test.want {
					t.Errorf("GetMany = %d items, %v, want %d", len(got), err, test.want)
				}
				if len(s.calls) != test.calls {
					t.Errorf("%d calls, want %d", len(s.calls), test.calls)
				}
			})
		})
	}
}

// TestIndexHits has an index that is behind: one hit has moved, one is gone.
func TestIndexHits(t *testing.T) {
	s := &stub{query: &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{
		attributes("a", "1"), attributes("moved", "2"), attributes("gone", "3"), attributes("b", "4"),
	}, LastEvaluatedKey: attributes("b", "4")}}
	s.batch = func(*dynamodb.BatchGetItemInput) *dynamodb.BatchGetItemOutput {
		return &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{
			"t": {attributes("b", "4"), attributes("moved", "9"), attributes("a", "1")},
		}}
	}
	page, err := driver.New(s, "t").Query(t.Context(), table.Query{Index: 1, Partition: "i", Limit: 4})
	if err != nil || len(page.Items) != 2 || page.Items[0].Sort != "a" || page.Items[1].Sort != "b" || page.Next == "" {
		t.Fatalf("Query = %+v, %v, want a, b and more", page, err)
	}
	if aws.ToBool(s.asked.ConsistentRead) || aws.ToString(s.asked.IndexName) != "index1" {
		t.Errorf("asked %q, consistent = %v", aws.ToString(s.asked.IndexName), aws.ToBool(s.asked.ConsistentRead))
	}
	s.query = &dynamodb.QueryOutput{}
	page, err = driver.New(s, "t").Query(t.Context(), table.Query{Index: 1, Partition: "i", Cursor: page.Next})
	if err != nil || len(page.Items) != 0 || page.Next != "" {
		t.Fatalf("Query = %+v, %v, want the end", page, err)
	}
	for name, want := range map[string]string{"pk": "p", "sk": "b", "i1p": "i", "i1s": "4"} {
		if got, ok := s.asked.ExclusiveStartKey[name].(*types.AttributeValueMemberS); !ok || got.Value != want {
			t.Errorf("ExclusiveStartKey[%s] = %v, want %s", name, got, want)
		}
	}
}

// TestWeakIndexHits: what a weak query on an index finds is read again by a weak read,
// and by a strong one otherwise.
func TestWeakIndexHits(t *testing.T) {
	for _, weak := range []bool{false, true} {
		s := &stub{query: &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{attributes("a", "1")}}}
		s.batch = func(in *dynamodb.BatchGetItemInput) *dynamodb.BatchGetItemOutput {
			if consistent := aws.ToBool(in.RequestItems["t"].ConsistentRead); consistent == weak {
				t.Errorf("weak %v: read again consistently %v", weak, consistent)
			}
			return &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{"t": {attributes("a", "1")}}}
		}
		page, err := driver.New(s, "t").Query(t.Context(), table.Query{Index: 1, Partition: "i", Weak: weak})
		if err != nil || len(page.Items) != 1 {
			t.Errorf("weak %v: %+v, %v", weak, page, err)
		}
	}
}

// TestForeignItems reads what no driver of ours wrote.
func TestForeignItems(t *testing.T) {
	for name, value := range map[string]types.AttributeValue{
		"other": &types.AttributeValueMemberS{Value: "x"}, "n_big": &types.AttributeValueMemberN{Value: "9223372036854775808"},
		"n_part": &types.AttributeValueMemberN{Value: "1.5"}, "s_list": &types.AttributeValueMemberL{}, "n_text": &types.AttributeValueMemberBOOL{},
	} {
		a := attributes("a", "")
		a[name] = value
		s := &stub{query: &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{a}}}
		_, err := driver.New(s, "t").Query(t.Context(), table.Query{Partition: "p"})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("item with %s: %v, want an error that names it", name, err)
		}
	}
}

// broken is a network on which every answer is lost.
type broken struct{ sent int }

func (b *broken) Do(r *http.Request) (*http.Response, error) {
	b.sent++
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
	}
	return nil, io.ErrUnexpectedEOF
}

// TestLostAnswers wants a write that would add twice to be sent once, and all
// others to be repeated.
func TestLostAnswers(t *testing.T) {
	k := table.Key{Partition: "p", Sort: "s"}
	for _, test := range []struct {
		name   string
		writes []table.Write
		once   bool
	}{
		{"put", puts("a"), false},
		{"set", []table.Write{{Update: &table.Update{Key: k, SetNumbers: map[string]int64{"n": 1}}}}, false},
		{"add nothing", []table.Write{{Update: &table.Update{Key: k, AddNumbers: map[string]int64{"n": 0}}}}, false},
		{"add", []table.Write{{Update: &table.Update{Key: k, AddNumbers: map[string]int64{"n": 1}}}}, true},
		{"add to version", []table.Write{{Update: &table.Update{Key: k, AddVersion: 1}}}, true},
		{"transaction", append(puts("a"), table.Write{Update: &table.Update{Key: k, AddVersion: 1}}), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &broken{}
				client := dynamodb.New(dynamodb.Options{
					Region: "eu-central-1", BaseEndpoint: aws.String("http://dynamodb.invalid"), HTTPClient: network,
					Credentials: aws.CredentialsProviderFunc(credentials),
				})
				err := driver.New(client, "t").Write(t.Context(), test.writes...)
				if err == nil || errors.Is(err, table.ErrBusy) {
					t.Errorf("Write = %v, want an error of unknown outcome", err)
				}
				if (network.sent == 1) != test.once {
					t.Errorf("sent %d times, want once = %v", network.sent, test.once)
				}
			})
		})
	}
}

// TestTokens: a transaction that may be under way is asked for again under its
// own token, or it would be done twice; one that was cancelled, and every other
// one, gets another token.
func TestTokens(t *testing.T) {
	under, cancel := error(&types.TransactionInProgressException{}), cancelled("TransactionConflict", "None")
	for _, test := range []struct {
		name string
		errs []error
		want string // tokens by letters
	}{
		{"done at once", nil, "a"},
		{"under way", []error{under, under}, "aaa"},
		{"throttled", []error{&types.ThrottlingException{}, under}, "aaa"},
		{"cancelled", []error{cancel}, "ab"},
		{"cancelled, then under way", []error{under, cancel, under}, "aabb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{errs: test.errs}
				tab := driver.New(s, "t")
				for range 2 { // the second write is another transaction
					if err := tab.Write(t.Context(), puts("a", "b")...); err != nil {
						t.Fatal(err)
					}
				}
				letters, got := map[string]string{}, ""
				for _, token := range s.tokens {
					if letters[token] == "" {
						letters[token] = string(rune('a' + len(letters)))
					}
					got += letters[token]
					if n := len(token); n < 1 || n > 36 {
						t.Errorf("the token %q has %d characters, want 1 to 36", token, n)
					}
				}
				want := test.want + string(rune(test.want[len(test.want)-1]+1))
				if got != want {
					t.Errorf("tokens %s, want %s", got, want)
				}
			})
		})
	}
}

// answers is DynamoDB on a network: each request gets the next answer, the code
// of an error or "" for success; "lost" takes effect and is not heard of.
type answers struct {
	list   []string
	sent   int
	tokens map[string]bool
}

func (a *answers) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.sent++
	var in struct{ ClientRequestToken string }
	if json.Unmarshal(body, &in) == nil && in.ClientRequestToken != "" {
		a.tokens[in.ClientRequestToken] = true
	}
	code := a.list[min(a.sent, len(a.list))-1]
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	switch code {
	case "":
	case "lost":
		return nil, io.ErrUnexpectedEOF
	default:
		resp.StatusCode = http.StatusBadRequest
		resp.Body = io.NopCloser(strings.NewReader(`{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"no"}`))
	}
	return resp, nil
}

// TestOnTheWire has the SDK between: its tries and ours are one and the same
// transaction, and do not multiply.
func TestOnTheWire(t *testing.T) {
	for _, test := range []struct {
		name   string
		list   []string
		sent   int
		tokens int
		busy   bool
	}{
		{"a lost answer, and its transaction is under way", []string{"lost", "TransactionInProgressException", "TransactionInProgressException", ""}, 4, 1, false},
		{"throttled for good", []string{"ProvisionedThroughputExceededException"}, 8, 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &answers{list: test.list, tokens: map[string]bool{}}
				client := dynamodb.New(dynamodb.Options{
					Region: "eu-central-1", BaseEndpoint: aws.String("http://dynamodb.invalid"), HTTPClient: network,
					Credentials: aws.CredentialsProviderFunc(credentials),
				})
				err := driver.New(client, "t").Write(t.Context(), puts("a", "b")...)
				if errors.Is(err, table.ErrBusy) != test.busy || !test.busy && err != nil {
					t.Errorf("Write = %v, want busy = %v", err, test.busy)
				}
				if network.sent != test.sent || len(network.tokens) != test.tokens {
					t.Errorf("sent %d times under %d tokens, want %d under %d", network.sent, len(network.tokens), test.sent, test.tokens)
				}
			})
		})
	}
}
