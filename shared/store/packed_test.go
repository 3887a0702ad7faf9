package store

import (
	"bytes"
	"compress/flate"
	"errors"
	"reflect"
	"testing"
	"time"

	"bindery/shared/directory"
)

// packedAs is the packed form of a body, as the next version writes it.
func packedAs(t *testing.T, body []byte) []byte {
	t.Helper()
	packed := bytes.NewBuffer([]byte{packedBody})
	w, err := flate.NewWriterDict(packed, flate.BestCompression, []byte(bodyWords))
	must(t, err)
	_, err = w.Write(body)
	must(t, errors.Join(err, w.Close()))
	return packed.Bytes()
}

// TestPackedBinding: a binding that the next version has packed is read as it was,
// and is then less than half as long; one that cannot be unpacked is a broken record.
func TestPackedBinding(t *testing.T) {
	b := directory.Binding{
		UserID: "usr_06h29qk3v0589kwa79f2sy0bmg", ConnectionID: "con_06h29qk3tc4rv0a9zgdr8t78z0", Epoch: 1, TenantID: "22222222-aaaa-4bbb-8ccc-000000000001",
		AccountID: "a7e676ab-5c3c-4fd9-b8b1-e60a7e5623a3", UserPrincipalName: "user001@corp.example", Status: directory.BindingInSync, Created: true,
		Base: directory.Properties{"accountEnabled": directory.BoolValue(true), "department": directory.StringValue("Works"), "displayName": directory.StringValue("User001 Example"),
			"jobTitle": directory.StringValue("Engineer II"), "mailNickname": directory.StringValue("user001"), "userPrincipalName": directory.StringValue("user001@corp.example")},
		Wanted: 2, Applied: 2, Agreed: 2, SelectedBy: "admin", SelectedAt: time.Unix(1, 0).UTC(), RunID: "run_06h29qk41m4yqgke491v1sna3c",
	}
	it := bindingItem(&b)
	want, err := decodeBinding(it)
	must(t, err)
	packed := it
	packed.Body = packedAs(t, it.Body)
	got, err := decodeBinding(packed)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a packed binding: %+v, %v\nwant %+v", got, err, want)
	}
	if len(packed.Body) > len(it.Body)/2 {
		t.Errorf("packed it has %d bytes of %d", len(packed.Body), len(it.Body))
	}
	for _, broken := range [][]byte{packed.Body[:len(packed.Body)-9], {packedBody}, {2}, packedAs(t, make([]byte, 2*maxBody))} {
		packed.Body = broken
		if _, err := decodeBinding(packed); !errors.Is(err, ErrRecord) {
			t.Errorf("%d bytes: %v, want a record that cannot be read", len(broken), err)
		}
	}
}
