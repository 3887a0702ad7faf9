package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"bindery/shared/directory"
)

// MaxAnswer is how large an answer to an event may be, as the JSON that Lambda
// counts: the body in it is escaped, or in base64.
const MaxAnswer = 6 << 20

// Answer returns what answers an event of an HTTP API, both as JSON.
func Answer(h http.Handler) func(ctx context.Context, event []byte) ([]byte, error) {
	return func(ctx context.Context, event []byte) ([]byte, error) {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return nil, fmt.Errorf("HTTP API event: %w", err)
		}
		answer, err := HTTP(h)(ctx, e)
		if err != nil {
			return nil, err
		}
		return encodeAnswer(answer)
	}
}

// encodeAnswer escapes what JSON demands and no more: a body full of markup
// would else be six times as large.
func encodeAnswer(answer events.APIGatewayV2HTTPResponse) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(answer.Body) + len(answer.Body)/8 + 1024)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// fit brings an answer to a form that Lambda takes: a text that grows too much
// by being escaped goes as base64, and what is too large even so becomes a
// problem.
func fit(answer events.APIGatewayV2HTTPResponse) events.APIGatewayV2HTTPResponse {
	const worst = 6 // a byte may become \u0000
	if len(answer.Body)*worst < MaxAnswer/2 {
		return answer
	}
	if fits(answer) {
		return answer
	}
	if !answer.IsBase64Encoded && base64.StdEncoding.EncodedLen(len(answer.Body)) < MaxAnswer {
		answer.Body, answer.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(answer.Body)), true
		if fits(answer) {
			return answer
		}
	}
	return problem(http.StatusInternalServerError, directory.CodeAnswerTooLarge, "The answer is larger than the 6 MB that Lambda gives back. Ask for less: with limit, or for a shorter time.", "")
}

func fits(answer events.APIGatewayV2HTTPResponse) bool {
	data, err := encodeAnswer(answer)
	return err == nil && len(data) <= MaxAnswer
}
