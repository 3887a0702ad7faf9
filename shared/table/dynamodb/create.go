package dynamodb

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// createWait is how long Create waits for the table to be ready.
const createWait = 2 * time.Minute

// Create makes the table with its indexes and waits until it is ready. It is
// for local engines and tests: in AWS the template makes the table.
func Create(ctx context.Context, client *dynamodb.Client, name string) (*Table, error) {
	in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	for index := range 3 {
		partition, sort := indexAttributes(index)
		schema := []types.KeySchemaElement{
			{AttributeName: &partition, KeyType: types.KeyTypeHash},
			{AttributeName: &sort, KeyType: types.KeyTypeRange},
		}
		for i := range schema {
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
				AttributeName: schema[i].AttributeName, AttributeType: types.ScalarAttributeTypeS,
			})
		}
		if index == 0 {
			in.KeySchema = schema
			continue
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(fmt.Sprintf("index%d", index)), KeySchema: schema,
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		})
	}
	if _, err := client.CreateTable(ctx, in); err != nil {
		return nil, fmt.Errorf("create table: %w", err)
	}
	ready := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 5*time.Second
	})
	if err := ready.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &name}, createWait); err != nil {
		return nil, fmt.Errorf("create table: %w", err)
	}
	_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &name,
		TimeToLiveSpecification: &types.TimeToLiveSpecification{
			AttributeName: aws.String("exp"), Enabled: aws.Bool(true),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("time to live: %w", err)
	}
	return New(client, name), nil
}
