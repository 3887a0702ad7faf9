package bolt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bindery/shared/table"
)

// head is an item without key and body, as JSON. A stored item is the length
// of the head as a varint, the head, the body.
type head struct {
	Index1  *table.Key        `json:"i1,omitempty"`
	Index2  *table.Key        `json:"i2,omitempty"`
	Version int64             `json:"v,omitempty"`
	Numbers map[string]int64  `json:"n,omitempty"`
	Strings map[string]string `json:"s,omitempty"`
	Expires int64             `json:"exp,omitempty"` // Unix seconds
	HasBody bool              `json:"b,omitempty"`   // an empty body is not none
}

func encode(it *table.Item) ([]byte, error) {
	h := head{Version: it.Version, Numbers: it.Numbers, Strings: it.Strings, HasBody: it.Body != nil}
	if it.Index1 != (table.Key{}) {
		h.Index1 = &it.Index1
	}
	if it.Index2 != (table.Key{}) {
		h.Index2 = &it.Index2
	}
	if !it.Expires.IsZero() {
		h.Expires = it.Expires.Unix()
	}
	meta, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("encode item: %w", err)
	}
	out := make([]byte, 0, binary.MaxVarintLen32+len(meta)+len(it.Body))
	out = binary.AppendUvarint(out, uint64(len(meta)))
	return append(append(out, meta...), it.Body...), nil
}

// decode copies: what bbolt hands out is gone with the transaction.
func decode(key, value []byte) (*table.Item, error) {
	parts := bytes.Split(key, []byte{0})
	n, used := binary.Uvarint(value)
	if len(parts) != 2 || used <= 0 || n > uint64(len(value)-used) {
		return nil, errors.New("a record is cut short")
	}
	rest := value[used:]
	var h head
	if err := json.Unmarshal(rest[:n], &h); err != nil {
		return nil, fmt.Errorf("a record is garbled: %w", err)
	}
	it := &table.Item{
		Key:     table.Key{Partition: string(parts[0]), Sort: string(parts[1])},
		Version: h.Version, Numbers: h.Numbers, Strings: h.Strings,
	}
	if h.Index1 != nil {
		it.Index1 = *h.Index1
	}
	if h.Index2 != nil {
		it.Index2 = *h.Index2
	}
	if h.HasBody {
		it.Body = append([]byte{}, rest[n:]...)
	}
	if h.Expires != 0 {
		it.Expires = time.Unix(h.Expires, 0).UTC()
	}
	return it, nil
}

// keyBytes is a key in the items bucket.
func keyBytes(k table.Key) []byte { return []byte(k.Partition + "\x00" + k.Sort) }

// placeBytes is a key in an index's bucket, or the bound of a range there or
// in the items bucket.
func placeBytes(partition string, p table.Position) []byte {
	s := partition + "\x00" + p.Sort
	if p.Key != (table.Key{}) {
		s += "\x00" + p.Key.Partition + "\x00" + p.Key.Sort
	}
	return []byte(s)
}

// parsePlace is the inverse of placeBytes for a whole index key.
func parsePlace(b []byte) (table.Position, error) {
	parts := bytes.Split(b, []byte{0})
	if len(parts) != 4 {
		return table.Position{}, errors.New("an index entry is garbled")
	}
	key := table.Key{Partition: string(parts[2]), Sort: string(parts[3])}
	return table.Position{Sort: string(parts[1]), Key: key}, nil
}
