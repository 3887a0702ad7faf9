// Package dynamodb keeps the table in one DynamoDB table.
//
// Attributes: pk and sk (the key), i1p, i1s, i2p, i2s (places in the global
// secondary indexes "index1" and "index2", which project keys only), ver, exp (the
// attribute of DynamoDB's time to live), B (the body), n_<name> and s_<name>.
//
// A single write is one PutItem, UpdateItem or DeleteItem; several, or a lone
// check, are one TransactWriteItems. A query on an index gives keys, which are
// read again in one batch, strongly consistent: hits that have left their
// place are dropped.
//
// Throttling and colliding transactions are tried again here, some seconds
// long, then told as table.ErrBusy. The SDK repeats what was lost on the way and
// nothing else (its tries and ours would multiply), except a single write that
// adds: repeated, it would add twice.
//
// A transaction has a token, by which DynamoDB does it once however often it
// comes. While a first try of it, whose answer was lost, is still under way,
// DynamoDB answers TransactionInProgressException: the same transaction is then
// asked for again under the same token, and what the first try came to is the
// answer. Only a transaction that was cancelled, and so certainly not done, gets
// another token.
package dynamodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"bindery/shared/table"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Client is what the driver uses of *dynamodb.Client.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Table is a table in DynamoDB.
type Table struct {
	client Client
	name   string
	lost   aws.Retryer // repeats what was lost on the way
}

var _ table.Table = (*Table)(nil)

// New returns the table of that name, which must exist.
func New(client Client, name string) *Table { return &Table{client, name, onlyLost()} }

// Get implements table.Table.
func (t *Table) Get(ctx context.Context, key table.Key) (table.Item, error) {
	if err := key.Check(); err != nil {
		return table.Item{}, err
	}
	in := &dynamodb.GetItemInput{TableName: &t.name, Key: keyAttributes(key), ConsistentRead: aws.Bool(true)}
	var out *dynamodb.GetItemOutput
	err := patiently(ctx, func() (err error) {
		out, err = t.client.GetItem(ctx, in, t.repeatLost)
		return err
	})
	switch {
	case err != nil:
		return table.Item{}, fmt.Errorf("get item: %w", err)
	case out.Item == nil:
		return table.Item{}, table.ErrNotFound
	}
	it, err := decode(out.Item)
	if err != nil {
		return table.Item{}, err
	}
	return *it, nil
}

// GetMany implements table.Table. DynamoDB may leave keys unanswered, when the
// answer grows over 16 MB or the table is throttled; those are asked for again.
func (t *Table) GetMany(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	return t.getMany(ctx, keys, true)
}

// getMany is GetMany, or an eventually consistent one.
func (t *Table) getMany(ctx context.Context, keys []table.Key, consistent bool) ([]table.Item, error) {
	if err := table.CheckGet(keys); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, contextError(ctx)
	}
	ask := types.KeysAndAttributes{ConsistentRead: &consistent}
	seen := make(map[table.Key]bool, len(keys))
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			ask.Keys = append(ask.Keys, keyAttributes(k))
		}
	}
	var found []table.Item
	tries := tries{}
	for len(ask.Keys) > 0 {
		var out *dynamodb.BatchGetItemOutput
		err := patiently(ctx, func() (err error) {
			in := &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{t.name: ask}}
			out, err = t.client.BatchGetItem(ctx, in, t.repeatLost)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("get items: %w", err)
		}
		for _, attributes := range out.Responses[t.name] {
			it, err := decode(attributes)
			if err != nil {
				return nil, err
			}
			found = append(found, *it)
		}
		left := out.UnprocessedKeys[t.name].Keys
		if len(left) < len(ask.Keys) {
			tries.n = 0 // it goes forward
		}
		if ask.Keys = left; len(left) == 0 {
			break
		}
		if !tries.again(ctx) {
			return nil, fmt.Errorf("get items: %w", busy(ctx, errors.New("keys were left unprocessed")))
		}
	}
	return found, nil
}

// Write implements table.Table.
func (t *Table) Write(ctx context.Context, writes ...table.Write) error {
	if err := table.Check(writes); err != nil {
		return err
	}
	token := rand.Text()
	err := patiently(ctx, func() error {
		if len(writes) == 1 && writes[0].Check == nil {
			return t.writeOne(ctx, &writes[0])
		}
		err := t.transact(ctx, token, writes)
		if _, cancelled := errors.AsType[*types.TransactionCanceledException](err); cancelled {
			token = rand.Text()
		}
		return err
	})
	var refused *table.ConditionError
	if err == nil || errors.As(err, &refused) {
		return err
	}
	if isTooLarge(err) {
		return fmt.Errorf("%w: %w", table.ErrTooLarge, err)
	}
	return fmt.Errorf("write: %w", err)
}

func (t *Table) writeOne(ctx context.Context, w *table.Write) error {
	x := newExpression()
	condition := x.condition(&w.If)
	var err error
	switch {
	case w.Put != nil:
		_, err = t.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &t.name, Item: encode(w.Put), ConditionExpression: condition,
			ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, t.repeatLost)
	case w.Delete != nil:
		_, err = t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &t.name, Key: keyAttributes(*w.Delete), ConditionExpression: condition,
			ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, t.repeatLost)
	case w.Update != nil:
		update := x.update(w.Update)
		_, err = t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &t.name, Key: keyAttributes(w.Update.Key), ConditionExpression: condition, UpdateExpression: update,
			ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}, t.repeatable(w.Update))
	}
	var refused *types.ConditionalCheckFailedException
	if !errors.As(err, &refused) {
		return err
	}
	current, err := decodeOrNil(refused.Item)
	if err != nil {
		return err
	}
	return &table.ConditionError{Failed: []int{0}, Current: []*table.Item{current}}
}

// repeatable lets the SDK repeat an update whose answer was lost only if it
// does the same the second time.
func (t *Table) repeatable(u *table.Update) func(*dynamodb.Options) {
	adds := u.AddVersion != 0
	for _, n := range u.AddNumbers {
		adds = adds || n != 0
	}
	if adds {
		return func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }
	}
	return t.repeatLost
}

// transact sends the writes as one transaction, which DynamoDB does once for
// each token.
func (t *Table) transact(ctx context.Context, token string, writes []table.Write) error {
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: &token, TransactItems: make([]types.TransactWriteItem, len(writes))}
	for i := range writes {
		in.TransactItems[i] = t.element(&writes[i])
	}
	_, err := t.client.TransactWriteItems(ctx, in, t.repeatLost)
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return err
	}
	var refused table.ConditionError
	for i, reason := range cancelled.CancellationReasons {
		if aws.ToString(reason.Code) != "ConditionalCheckFailed" {
			continue
		}
		current, err := decodeOrNil(reason.Item)
		if err != nil {
			return err
		}
		refused.Failed = append(refused.Failed, i)
		refused.Current = append(refused.Current, current)
	}
	if len(refused.Failed) > 0 {
		return &refused
	}
	return err
}

func (t *Table) element(w *table.Write) types.TransactWriteItem {
	const allOld = types.ReturnValuesOnConditionCheckFailureAllOld
	x := newExpression()
	condition := x.condition(&w.If)
	switch {
	case w.Put != nil:
		return types.TransactWriteItem{Put: &types.Put{
			TableName: &t.name, Item: encode(w.Put), ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: allOld,
			ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
		}}
	case w.Delete != nil:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &t.name, Key: keyAttributes(*w.Delete), ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: allOld,
			ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
		}}
	case w.Update != nil:
		update := x.update(w.Update)
		return types.TransactWriteItem{Update: &types.Update{
			TableName: &t.name, Key: keyAttributes(w.Update.Key), ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: allOld,
			UpdateExpression: update, ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
		}}
	}
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &t.name, Key: keyAttributes(*w.Check), ConditionExpression: condition, ReturnValuesOnConditionCheckFailure: allOld,
		ExpressionAttributeNames: x.namesOrNil(), ExpressionAttributeValues: x.valuesOrNil(),
	}}
}

// isTooLarge knows DynamoDB's words for what only it could see: an update that
// makes an item grow over the limit.
func isTooLarge(err error) bool {
	const words = "exceeded the maximum allowed size"
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, reason := range cancelled.CancellationReasons {
			if strings.Contains(aws.ToString(reason.Message), words) {
				return true
			}
		}
		return false
	}
	return errorCode(err) == "ValidationException" && strings.Contains(err.Error(), words)
}
