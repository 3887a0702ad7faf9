package store

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// packedBody begins a body that is packed: JSON begins otherwise.
const packedBody = 1

// maxBody bounds what a body unpacks to: no item of the table is as large.
const maxBody = 1 << 20

// bodyWords is what packed bodies of bindings are made of. It must never change: what
// was packed with it is unpacked with it.
const bodyWords = `"before":{"code":"problem":{"findings":[{"message":"next":"kind":"since":"adopt":"ownName":"temporaryPassword":true,"password":{"blocked":true,"declined":["release":"releasedBy":"resumedBy":"moveTo":{"movedFrom":"refused":{"value":"rule":"retryAt":"kept":{"wanted":"seen":{` +
	`onPremisesExtensionAttributes extensionAttribute1":"ageGroup":"consentProvidedForMinor":"preferredLanguage":"otherMails":["employeeType":"employeeHireDate":"faxNumber":"postalCode":"state":"streetAddress":"city":"country":"companyName":"businessPhones":["officeLocation":"usageLocation":"employeeId":"` +
	`{"userId":"usr_","connectionId":"con_","epoch":1,"tenantId":"","accountId":"","accountSince":"20","userPrincipalName":"","status":"in-sync","status":"pending","base":{"accountEnabled":true,"department":"","displayName":"","extensionAttribute":null,"givenName":"","jobTitle":"","mailNickname":"","mobilePhone":null,"surname":"","userPrincipalName":""},"created":true,"wanted":2,"applied":2,"agreed":2,"selectedBy":"","selectedAt":"20","lastWrite":"20","writes":[{"at":"20"},{"at":"20","names":["before":{"}}],"runId":"run_","version":`

// largestPacked bounds what is packed. What is longer stays as it is, so that an item is
// too large for the table when it was before, and whoever reads it can write it back.
const largestPacked = maxBody / 4

// Both ends need memory of many times a body's size, so they are used again.
var (
	packers   = sync.Pool{New: func() any { return newPacker() }}
	unpackers = sync.Pool{New: func() any { return flate.NewReaderDict(nil, []byte(bodyWords)) }}
)

func newPacker() *flate.Writer {
	w, err := flate.NewWriterDict(nil, flate.BestCompression, []byte(bodyWords))
	if err != nil {
		panic("store: " + err.Error()) // the level is no such one
	}
	return w
}

// encodeBinding is encode for a binding: its body is packed, which halves it. See the
// decision 0016.
func encodeBinding(b *directory.Binding) []byte {
	return packBody(encode(b))
}

// packBody returns the packed form of a body, or the body where that would not be
// shorter.
func packBody(body []byte) []byte {
	if len(body) > largestPacked {
		return body
	}
	packed := bytes.NewBuffer(make([]byte, 0, len(body)))
	packed.WriteByte(packedBody)
	w := packers.Get().(*flate.Writer)
	defer packers.Put(w)
	w.Reset(packed)
	_, err := w.Write(body)
	if err := errors.Join(err, w.Close()); err != nil {
		panic("store: " + err.Error()) // a buffer takes everything
	}
	if packed.Len() >= len(body) {
		return body
	}
	return packed.Bytes()
}

// unpackBody is the other side of packBody.
func unpackBody(body []byte) ([]byte, error) {
	if len(body) == 0 || body[0] != packedBody {
		return body, nil
	}
	r := unpackers.Get().(io.Reader)
	defer unpackers.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(body[1:]), []byte(bodyWords)); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxBody)) // what was cut is no JSON
}

// decodeBody is decode for a body that may be packed.
func decodeBody(it table.Item, b *directory.Binding) error {
	body, err := unpackBody(it.Body)
	if err != nil {
		return fmt.Errorf("%w: %s/%s: packed: %w", ErrRecord, it.Partition, it.Sort, err)
	}
	it.Body = body
	return decode(it, b)
}
