package cloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"bindery/infra/lambdas/iam"
)

// arn names a resource of the account.
func (c *Cloud) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + c.Region + ":" + c.Account + ":" + resource
}

// byKey is what a service does with a key on its caller's behalf.
func (c *Cloud) byKey(service, key string, actions ...string) []iam.Request {
	if key == "" {
		return nil // the service's own key, which asks nobody
	}
	var out []iam.Request
	for _, a := range actions {
		out = append(out, iam.Request{Action: "kms:" + a, Resource: key, Context: map[string][]string{
			"kms:ViaService": {service + "." + c.Region + ".amazonaws.com"}, "kms:CallerAccount": {c.Account},
		}})
	}
	return out
}

// transacted are the rights that an item of a transaction takes.
var transacted = map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem", "Get": "GetItem"}

// use is one use of a table that a call to DynamoDB comes to: the action, what
// names the table, and the partitions that are touched; nil for all of them.
type use struct {
	action     string
	in         map[string]any
	partitions []string
}

// dynamodb: each item of a transaction is judged by itself, with its own
// partition; a batch as a whole, with all of them. Reading and writing an
// encrypted table decrypts its key.
func (c *Cloud) dynamodb(q *call) ([]iam.Request, error) {
	uses, err := c.uses(q)
	if err != nil {
		return nil, err
	}
	var out []iam.Request
	var keys []string
	for _, u := range uses {
		t, err := c.table(u.in["TableName"])
		if err != nil {
			return nil, err
		}
		resource := t.ARN
		if index, ok := u.in["IndexName"].(string); ok {
			resource += "/index/" + index
		}
		context := map[string][]string{"dynamodb:LeadingKeys": u.partitions}
		if q.op == "TransactWriteItems" || q.op == "TransactGetItems" {
			context["dynamodb:EnclosingOperation"] = []string{q.op}
		}
		out = append(out, iam.Request{Action: "dynamodb:" + u.action, Resource: resource, Context: context})
		if len(keys) == 0 || t.Key != keys[0] {
			keys = append(keys, t.Key)
		}
	}
	for _, key := range keys {
		out = append(out, c.byKey("dynamodb", key, "Decrypt")...)
	}
	return out, nil
}

// uses are the uses of tables that a call comes to.
func (c *Cloud) uses(q *call) ([]use, error) {
	switch q.op {
	case "GetItem", "DeleteItem", "UpdateItem", "PutItem":
		return []use{{q.op, q.in, c.partition(q.in)}}, nil
	case "Query":
		partitions, err := c.queried(q.in)
		return []use{{q.op, q.in, partitions}}, err
	case "Scan":
		return []use{{q.op, q.in, nil}}, nil
	case "BatchGetItem", "BatchWriteItem":
		var all []use
		tables, _ := q.in["RequestItems"].(map[string]any)
		for name, items := range tables {
			all = append(all, use{q.op, map[string]any{"TableName": name}, c.batch(name, items)})
		}
		return all, nil
	case "TransactWriteItems", "TransactGetItems":
		return c.transactionUses(q)
	}
	return nil, errUnknown
}

func (c *Cloud) transactionUses(q *call) ([]use, error) {
	var all []use
	items, _ := q.in["TransactItems"].([]any)
	for _, item := range items {
		m, _ := item.(map[string]any)
		for kind, v := range m {
			if transacted[kind] == "" {
				return nil, errUnknown
			}
			in, _ := v.(map[string]any)
			all = append(all, use{transacted[kind], in, c.partition(in)})
		}
	}
	return all, nil
}

func (c *Cloud) table(name any) (Table, error) {
	text, _ := name.(string)
	if i := strings.LastIndex(text, ":table/"); i >= 0 {
		text = text[i+len(":table/"):]
	}
	t, ok := c.Tables[text]
	if !ok {
		return t, fmt.Errorf("the table %v %w", name, errUnknown)
	}
	return t, nil
}

// partition is the partition of what a request reads or writes by key.
func (c *Cloud) partition(in map[string]any) []string {
	t, _ := c.table(in["TableName"])
	for _, member := range []string{"Key", "Item"} {
		if m, ok := in[member].(map[string]any); ok {
			return []string{value(m[t.Hash])}
		}
	}
	return nil
}

// batch are the partitions of a batch in one table.
func (c *Cloud) batch(name string, items any) []string {
	t, _ := c.table(name)
	var out []string
	each := func(v any) {
		if m, ok := v.(map[string]any); ok {
			out = append(out, value(m[t.Hash]))
		}
	}
	switch items := items.(type) {
	case map[string]any: // to get
		list, _ := items["Keys"].([]any)
		for _, k := range list {
			each(k)
		}
	case []any: // to write
		for _, item := range items {
			m, _ := item.(map[string]any)
			for kind, v := range m {
				in, _ := v.(map[string]any)
				each(in[map[string]string{"PutRequest": "Item", "DeleteRequest": "Key"}[kind]])
			}
		}
	}
	return out
}

var equals = regexp.MustCompile(`([#A-Za-z0-9_.-]+)\s*=\s*(:[A-Za-z0-9_]+)`)

// queried is the partition that a query reads, of the table or of its index.
func (c *Cloud) queried(in map[string]any) ([]string, error) {
	t, err := c.table(in["TableName"])
	if err != nil {
		return nil, err
	}
	hash := t.Hash
	if index, ok := in["IndexName"].(string); ok {
		hash = t.Indexes[index]
	}
	words, _ := in["KeyConditionExpression"].(string)
	names, _ := in["ExpressionAttributeNames"].(map[string]any)
	values, _ := in["ExpressionAttributeValues"].(map[string]any)
	for _, m := range equals.FindAllStringSubmatch(words, -1) {
		name := m[1]
		if full, ok := names[name].(string); ok {
			name = full
		}
		if name == hash {
			return []string{value(values[m[2]])}, nil
		}
	}
	return nil, fmt.Errorf("a query without a partition %w", errUnknown)
}

// value is an attribute's value as text: {"S": "a"} is a.
func value(v any) string {
	m, _ := v.(map[string]any)
	for _, inner := range m {
		return fmt.Sprint(inner)
	}
	return ""
}

// sqs: a batch takes the right of its single calls.
func (c *Cloud) sqs(q *call) ([]iam.Request, error) {
	address, _ := q.in["QueueUrl"].(string)
	switch q.op {
	case "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "GetQueueAttributes":
		name := address[strings.LastIndexByte(address, '/')+1:]
		return []iam.Request{{Action: "sqs:" + strings.TrimSuffix(q.op, "Batch"), Resource: c.arn("sqs", name)}}, nil
	}
	return nil, errUnknown
}

// traced puts the caller's trace into the messages, as SQS does.
func traced(q *call) []byte {
	trace := q.Header.Get("X-Amzn-Trace-Id")
	if trace == "" {
		return q.body
	}
	attribute := map[string]any{"AWSTraceHeader": map[string]any{"DataType": "String", "StringValue": trace}}
	switch q.op {
	case "SendMessage":
		q.in["MessageSystemAttributes"] = attribute
	case "SendMessageBatch":
		entries, _ := q.in["Entries"].([]any)
		for _, e := range entries {
			if m, ok := e.(map[string]any); ok {
				m["MessageSystemAttributes"] = attribute
			}
		}
	default:
		return q.body
	}
	body, err := json.Marshal(q.in)
	if err != nil {
		return q.body // it was decoded from JSON
	}
	return body
}

// kms: keys are named by their ARN or their ID; an alias is not followed.
func (c *Cloud) kms(q *call) ([]iam.Request, error) {
	key, _ := q.in["KeyId"].(string)
	if !strings.HasPrefix(key, "arn:") {
		key = c.arn("kms", "key/"+key)
	}
	switch q.op {
	case "GenerateMac", "VerifyMac", "Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "DescribeKey", "Sign", "Verify", "GetPublicKey":
		return []iam.Request{{Action: "kms:" + q.op, Resource: key}}, nil
	}
	return nil, errUnknown
}

func (c *Cloud) events(q *call) ([]iam.Request, error) {
	if q.op != "PutEvents" {
		return nil, errUnknown
	}
	var in struct{ Entries []Entry }
	if err := json.Unmarshal(q.body, &in); err != nil {
		return nil, err
	}
	var out []iam.Request
	for _, e := range in.Entries {
		bus := e.EventBusName
		if !strings.HasPrefix(bus, "arn:") {
			bus = c.arn("events", "event-bus/"+bus)
		}
		out = append(out, iam.Request{Action: "events:PutEvents", Resource: bus, Context: map[string][]string{"events:source": {e.Source}, "events:detail-type": {e.DetailType}}})
	}
	return out, nil
}
