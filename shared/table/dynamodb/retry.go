package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bindery/shared/clock"
	"bindery/shared/table"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
)

const (
	maxTries  = 8
	firstWait = 25 * time.Millisecond
	longWait  = 2 * time.Second

	inProgress = "TransactionInProgressException"
)

// tries counts and spaces the repetitions of a call: all of them take up to
// about five seconds.
type tries struct{ n int }

// again waits before the next try, a random time up to a bound that doubles.
// It returns false when there is to be none.
func (t *tries) again(ctx context.Context) bool {
	t.n++
	if t.n >= maxTries {
		return false
	}
	return clock.Sleep(ctx, clock.Backoff(t.n, firstWait, longWait)) == nil
}

// onlyLost is the SDK's own repetition without that of throttled calls, which
// is ours.
func onlyLost() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{}, retry.RetryableError{}, retry.RetryableConnectionError{},
			retry.RetryableHTTPStatusCode{Codes: retry.DefaultRetryableHTTPStatusCodes},
			retry.RetryableErrorCode{Codes: retry.DefaultRetryableErrorCodes},
		}
	})
}

func (t *Table) repeatLost(o *dynamodb.Options) { o.Retryer = t.lost }

// patiently repeats a call that was certainly not done, since it was throttled
// or in collision with a transaction; or that has a token, and is under way.
func patiently(ctx context.Context, call func() error) error {
	tries := tries{}
	for {
		if err := contextError(ctx); err != nil {
			return err
		}
		err := call()
		if err == nil || !isBusy(err) {
			return err
		}
		if tries.again(ctx) {
			continue
		}
		if errorCode(err) == inProgress {
			return err // it may yet be done: that is not table.ErrBusy
		}
		return busy(ctx, err)
	}
}

// busy says why the repetition ended.
func busy(ctx context.Context, cause error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w: %w", table.ErrBusy, err, cause)
	}
	return fmt.Errorf("%w: %w", table.ErrBusy, cause)
}

func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}

// isBusy says whether DynamoDB refused a call for reasons that pass. A
// transaction is judged by the reasons that it was cancelled for: one that
// does not pass outweighs the others.
func isBusy(err error) bool {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return passes(errorCode(err))
	}
	found := false
	for _, reason := range cancelled.CancellationReasons {
		switch code := aws.ToString(reason.Code); {
		case code == "" || code == "None":
		case passes(code):
			found = true
		default:
			return false
		}
	}
	return found
}

func passes(code string) bool {
	switch code {
	case "TransactionConflict", "TransactionConflictException", inProgress,
		"ThrottlingError", "ThrottlingException", "RequestLimitExceeded", "LimitExceededException",
		"ProvisionedThroughputExceeded", "ProvisionedThroughputExceededException":
		return true
	}
	return false
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
