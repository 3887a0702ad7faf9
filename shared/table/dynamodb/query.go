package dynamodb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bindery/shared/table"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// lastRune is behind all that sort keys may hold, see table.Key.Check.
const lastRune = "\U0010FFFF"

// Query implements table.Table. It asks for one item more than wanted, to know
// whether there is another page.
func (t *Table) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := q.Check(); err != nil {
		return table.Page{}, err
	}
	if q.Index == 0 || q.After == "" || q.Cursor != "" {
		page, err := t.page(ctx, &q)
		if err != nil || q.Index == 0 {
			return page, err
		}
		page.Items, err = t.reread(ctx, &q, page.Items)
		return page, err
	}
	// A range may begin with hits that are not beyond After, see sortRange. No
	// page may end there: its cursor would lead to the rest of them.
	for {
		page, err := t.page(ctx, &q)
		if err != nil {
			return table.Page{}, err
		}
		page.Items = slices.DeleteFunc(page.Items, func(it table.Item) bool {
			order := strings.Compare(it.IndexKey(q.Index).Sort, q.After)
			return order == 0 || (order > 0) == q.Backward
		})
		if q.Cursor = page.Next; len(page.Items) > 0 || page.Next == "" {
			page.Items, err = t.reread(ctx, &q, page.Items)
			return page, err
		}
	}
}

// page reads one page as DynamoDB has it: of an index, the keys.
func (t *Table) page(ctx context.Context, q *table.Query) (table.Page, error) {
	in, err := t.queryInput(q)
	if err != nil || in == nil {
		return table.Page{}, err
	}
	var out *dynamodb.QueryOutput
	err = patiently(ctx, func() (err error) {
		out, err = t.client.Query(ctx, in, t.repeatLost)
		return err
	})
	if err != nil {
		return table.Page{}, fmt.Errorf("query: %w", err)
	}
	var page table.Page
	for _, a := range out.Items {
		it, err := decode(a)
		if err != nil {
			return table.Page{}, err
		}
		page.Items = append(page.Items, *it)
	}
	page.Next, err = next(q, &page, out.LastEvaluatedKey)
	return page, err
}

// queryInput returns nil when there is nothing that could be found.
func (t *Table) queryInput(q *table.Query) (*dynamodb.QueryInput, error) {
	x := newExpression()
	partition, sort := indexAttributes(q.Index)
	words := x.name(partition) + " = " + x.value(text(q.Partition))
	in := &dynamodb.QueryInput{
		TableName: &t.name, ScanIndexForward: aws.Bool(!q.Backward),
		ConsistentRead: aws.Bool(q.Index == 0 && !q.Weak),
	}
	if q.Index != 0 {
		in.IndexName = aws.String(fmt.Sprintf("index%d", q.Index))
	}
	if limit := q.PageLimit(); q.Index != 0 || q.Limit > 0 {
		in.Limit = aws.Int32(int32(min(limit, 1<<20) + 1))
	}
	after := q.After
	switch {
	case q.Cursor != "":
		p, err := q.ParseCursor()
		if err != nil {
			return nil, err
		}
		in.ExclusiveStartKey = keyAttributes(p.Key)
		if q.Index != 0 {
			in.ExclusiveStartKey[partition], in.ExclusiveStartKey[sort] = text(q.Partition), text(p.Sort)
		}
		after = ""
	case q.Index == 0 && after != "" && strings.HasPrefix(after, q.Prefix):
		// The table itself can start behind a key, whether it is there or not.
		in.ExclusiveStartKey = keyAttributes(table.Key{Partition: q.Partition, Sort: after})
		after = ""
	}
	var ok bool
	if words, ok = x.sortRange(words, sort, q, after); !ok {
		return nil, nil
	}
	in.KeyConditionExpression = &words
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = x.namesOrNil(), x.valuesOrNil()
	return in, nil
}

// sortRange adds the one condition on the sort key that DynamoDB allows: a
// prefix, a bound, or a range with both ends in it, whose hits at After are
// dropped later. It returns false for an empty range.
func (x *expression) sortRange(words, sort string, q *table.Query, after string) (string, bool) {
	inside := after != "" && strings.HasPrefix(after, q.Prefix)
	if after != "" && !inside && (after < q.Prefix) == q.Backward {
		return "", false // it ends before it begins
	}
	switch {
	case inside && q.Prefix == "":
		op := " > "
		if q.Backward {
			op = " < "
		}
		return words + " AND " + x.name(sort) + op + x.value(text(after)), true
	case inside && len(q.Prefix)+len(lastRune) <= table.MaxSortBytes:
		lo, hi := after, q.Prefix+lastRune
		if q.Backward {
			lo, hi = q.Prefix, after
		}
		return words + " AND " + x.name(sort) + " BETWEEN " + x.value(text(lo)) + " AND " + x.value(text(hi)), true
	case q.Prefix != "":
		return words + " AND begins_with(" + x.name(sort) + ", " + x.value(text(q.Prefix)) + ")", true
	}
	return words, true
}

// next cuts the one item too many and returns the cursor behind the page.
func next(q *table.Query, page *table.Page, last attributes) (string, error) {
	limit := q.PageLimit()
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		return q.CursorAfter(table.PositionOf(&page.Items[limit-1], q.Index))
	}
	if len(last) == 0 {
		return "", nil
	}
	it, err := decode(last)
	if err != nil {
		return "", err
	}
	return q.CursorAfter(table.PositionOf(it, q.Index))
}

// reread turns the keys that an index gave into items, in the same order, and
// drops those that are no longer where the index has them. For a weak query the
// items may be older than the index, too.
func (t *Table) reread(ctx context.Context, q *table.Query, hits []table.Item) ([]table.Item, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	keys := make([]table.Key, len(hits))
	for i := range hits {
		keys[i] = hits[i].Key
	}
	found, err := t.getMany(ctx, keys, !q.Weak)
	if err != nil {
		return nil, err
	}
	items := make(map[table.Key]*table.Item, len(found))
	for i := range found {
		items[found[i].Key] = &found[i]
	}
	fresh := hits[:0]
	for _, hit := range hits {
		it := items[hit.Key]
		if it != nil && it.IndexKey(q.Index) == hit.IndexKey(q.Index) {
			fresh = append(fresh, *it)
		}
	}
	return fresh, nil
}
