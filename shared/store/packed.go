package store

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"

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

// decodeBody is decode for a body that may be packed. This version packs none: it
// reads what the next one writes, so that both can be at work while it is deployed, and
// it can be gone back from. See the decision 0016.
func decodeBody(it table.Item, b *directory.Binding) error {
	if len(it.Body) == 0 || it.Body[0] != packedBody {
		return decode(it, b)
	}
	r := flate.NewReaderDict(bytes.NewReader(it.Body[1:]), []byte(bodyWords))
	body, err := io.ReadAll(io.LimitReader(r, maxBody))
	if err != nil {
		return fmt.Errorf("%w: %s/%s: packed: %w", ErrRecord, it.Partition, it.Sort, err)
	}
	it.Body = body
	return decode(it, b)
}
