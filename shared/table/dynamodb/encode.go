package dynamodb

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"bindery/shared/table"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attributes is an item as DynamoDB knows it.
type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func keyAttributes(k table.Key) attributes {
	return attributes{"pk": text(k.Partition), "sk": text(k.Sort)}
}

// indexAttributes are the names of partition and sort key in index 0, 1, 2.
func indexAttributes(index int) (partition, sort string) {
	switch index {
	case 1:
		return "i1p", "i1s"
	case 2:
		return "i2p", "i2s"
	}
	return "pk", "sk"
}

func encode(it *table.Item) attributes {
	a := keyAttributes(it.Key)
	for index := 1; index <= 2; index++ {
		if k := it.IndexKey(index); k != (table.Key{}) {
			partition, sort := indexAttributes(index)
			a[partition], a[sort] = text(k.Partition), text(k.Sort)
		}
	}
	a["ver"] = number(it.Version)
	for name, n := range it.Numbers {
		a["n_"+name] = number(n)
	}
	for name, s := range it.Strings {
		a["s_"+name] = text(s)
	}
	if it.Body != nil {
		a["B"] = &types.AttributeValueMemberB{Value: it.Body}
	}
	if !it.Expires.IsZero() {
		a["exp"] = number(it.Expires.Unix())
	}
	return a
}

func decodeOrNil(a attributes) (*table.Item, error) {
	if len(a) == 0 {
		return nil, nil
	}
	return decode(a)
}

func decode(a attributes) (*table.Item, error) {
	it := &table.Item{}
	for name, value := range a {
		if err := decodeOne(it, name, value); err != nil {
			return nil, fmt.Errorf("attribute %q: %w", name, err)
		}
	}
	return it, nil
}

func decodeOne(it *table.Item, name string, value types.AttributeValue) error {
	switch v := value.(type) {
	case *types.AttributeValueMemberS:
		return decodeText(it, name, v.Value)
	case *types.AttributeValueMemberN:
		n, err := strconv.ParseInt(v.Value, 10, 64)
		if err != nil {
			return err
		}
		return decodeNumber(it, name, n)
	case *types.AttributeValueMemberB:
		if name == "B" {
			it.Body = append([]byte{}, v.Value...)
			return nil
		}
	}
	return fmt.Errorf("unexpected %T", value)
}

func decodeText(it *table.Item, name, s string) error {
	switch name {
	case "pk":
		it.Partition = s
	case "sk":
		it.Sort = s
	case "i1p":
		it.Index1.Partition = s
	case "i1s":
		it.Index1.Sort = s
	case "i2p":
		it.Index2.Partition = s
	case "i2s":
		it.Index2.Sort = s
	default:
		own, ok := strings.CutPrefix(name, "s_")
		if !ok {
			return fmt.Errorf("not one of ours")
		}
		if it.Strings == nil {
			it.Strings = make(map[string]string)
		}
		it.Strings[own] = s
	}
	return nil
}

func decodeNumber(it *table.Item, name string, n int64) error {
	switch name {
	case "ver":
		it.Version = n
	case "exp":
		it.Expires = time.Unix(n, 0).UTC()
	default:
		own, ok := strings.CutPrefix(name, "n_")
		if !ok {
			return fmt.Errorf("not one of ours")
		}
		if it.Numbers == nil {
			it.Numbers = make(map[string]int64)
		}
		it.Numbers[own] = n
	}
	return nil
}
