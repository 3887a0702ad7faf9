package cloud

import (
	"context"
	"errors"
	"strings"

	"bindery/infra/lambdas/iam"
)

// described is what is known of a secret.
type described struct{ arn, key string }

// secretsmanager: a secret has six random characters at its ARN's end, which a
// call by name does not say; its value is encrypted with its key.
func (c *Cloud) secretsmanager(q *call) ([]iam.Request, error) {
	id, _ := q.in["SecretId"].(string)
	if text, ok := q.in["SecretString"].(string); ok {
		c.Secret(text)
	}
	var actions []string
	switch q.op {
	case "CreateSecret":
		id, _ = q.in["Name"].(string)
		key, _ := q.in["KmsKeyId"].(string)
		request := iam.Request{Action: "secretsmanager:CreateSecret", Resource: c.secretARN(id), Context: map[string][]string{"secretsmanager:Name": {id}}}
		return append([]iam.Request{request}, c.byKey("secretsmanager", key, "GenerateDataKey", "Decrypt")...), nil
	case "GetSecretValue":
		actions = []string{"Decrypt"}
	case "PutSecretValue":
		actions = []string{"GenerateDataKey", "Decrypt"}
	case "DeleteSecret", "DescribeSecret", "TagResource":
	default:
		return nil, errUnknown
	}
	s, err := c.describe(q.Context(), id)
	if errors.Is(err, ErrNoSecret) { // judged by the ARN that it would have
		s, err = described{arn: c.secretARN(id)}, nil
	}
	if err != nil {
		return nil, err
	}
	context := map[string][]string{"secretsmanager:SecretId": {s.arn}}
	return append([]iam.Request{{Action: "secretsmanager:" + q.op, Resource: s.arn, Context: context}}, c.byKey("secretsmanager", s.key, actions...)...), nil
}

// secretARN is the ARN of a secret that is not there yet, or of one that was.
func (c *Cloud) secretARN(id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return c.arn("secretsmanager", "secret:"+id+"-AbCdEf")
}

func (c *Cloud) describe(ctx context.Context, id string) (described, error) {
	c.mu.Lock()
	s, known := c.secrets[id]
	c.mu.Unlock()
	if known {
		return s, nil
	}
	arn, key, err := c.Describe(ctx, id)
	if err != nil {
		return s, err
	}
	s = described{arn, key}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.secrets == nil {
		c.secrets = map[string]described{}
	}
	c.secrets[id] = s
	return s, nil
}

// forget drops what is known of secrets when one comes or goes: another of its
// name has another ARN.
func (c *Cloud) forget(q *call) {
	if q.op == "CreateSecret" || q.op == "DeleteSecret" {
		c.mu.Lock()
		clear(c.secrets)
		c.mu.Unlock()
	}
}
