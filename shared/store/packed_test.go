package store

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/table"
)

// properties are values of an account, told as name and value.
func properties(list ...string) directory.Properties {
	p := directory.Properties{"accountEnabled": directory.BoolValue(true)}
	for i := 0; i < len(list); i += 2 {
		p[list[i]] = directory.StringValue(list[i+1])
	}
	return p
}

// engineer is the binding of an ordinary person, and what the table keeps of it while
// its account is being written to, which is when its item is largest.
func engineer() (directory.Binding, table.Item) {
	at := time.Date(2026, 3, 2, 9, 12, 45, 678901234, time.UTC)
	b := directory.Binding{
		UserID: "usr_06h29qk3v0589kwa79f2sy0bmg", ConnectionID: "con_06h29qk3tc4rv0a9zgdr8t78z0", Epoch: 1, TenantID: "22222222-aaaa-4bbb-8ccc-000000000001",
		AccountID: "a7e676ab-5c3c-4fd9-b8b1-e60a7e5623a3", AccountSince: at, UserPrincipalName: "katarzyna.wisniewska@manufacturing.example", Status: directory.BindingInSync,
		Base: properties("userPrincipalName", "katarzyna.wisniewska@manufacturing.example", "mailNickname", "katarzyna.wisniewska", "displayName", "Katarzyna Wiśniewska",
			"givenName", "Katarzyna", "surname", "Wiśniewska", "department", "Quality Assurance", "jobTitle", "Senior Process Engineer", "officeLocation", "Building 7, Room 3.114",
			"mobilePhone", "+48 601 555 0147", "companyName", "Northwind Manufacturing", "employeeId", "00481516", "usageLocation", "PL"),
		Wanted: 12, Applied: 12, Agreed: 12, SelectedBy: "8f14e45f-ceea-467f-a0e6-aa1b4c7de9b2", SelectedAt: at.Add(-time.Hour), LastWrite: at.Add(time.Hour),
		RunID: "run_06h29qk41m4yqgke491v1sna3c", Version: 31, Digest: 7234567890123456789,
		Writes: []directory.PropertyWrites{{At: at, Names: []string{"jobTitle"}, Before: directory.Properties{"jobTitle": directory.StringValue("Process Engineer")}}},
	}
	b.Base["businessPhones"] = directory.ListValue("+48 22 555 01 47")
	return b, marked(&b)
}

// marked is the item of a binding with all that one can have beside its body.
func marked(b *directory.Binding) table.Item {
	it := markedItem(b, b.AccountSince)
	it.Numbers[numDigest], it.Numbers[numRecheck], it.Numbers[numBlocked], it.Numbers[numShown] = b.Digest, 0, 0, 1
	return it
}

// TestOrdinaryBindingsAreBelowOneKB: DynamoDB counts what is written by the KB, twice
// in a transaction. Whoever adds to a binding sees here what it comes to.
func TestOrdinaryBindingsAreBelowOneKB(t *testing.T) {
	few := []string{"accountEnabled", "userPrincipalName", "mailNickname", "displayName", "givenName", "surname"}
	rest := properties("streetAddress", "ul. Marszałkowska 104/122", "city", "Warszawa", "state", "Mazowieckie", "postalCode", "00-017", "country", "Poland",
		"employeeType", "Employee", "preferredLanguage", "pl-PL", "extensionAttribute1", "CC-4711", "extensionAttribute2", "north", "extensionAttribute15", "shift-b")
	rest["otherMails"] = directory.ListValue("kasia.w@mail.example.org")
	for _, person := range []struct {
		name  string
		edit  func(b *directory.Binding)
		bytes int // of the item; the same as JSON
		json  int
	}{
		{"created, 6 properties", func(b *directory.Binding) {
			b.Created, b.TemporaryPassword = true, true
			maps.DeleteFunc(b.Base, func(name string, _ directory.Value) bool { return !slices.Contains(few, name) })
		}, 761, 1374},
		{"created, 14 properties", func(b *directory.Binding) { b.Created = true }, 862, 1617},
		{"created, 25 properties", func(b *directory.Binding) {
			b.Created = true
			maps.Copy(b.Base, rest)
		}, 988, 1934},
		{"adopted, 14 properties, 5 of them were others", func(b *directory.Binding) {
			b.OwnName = "kwisniewska@northwind.example"
			b.Before = properties("department", "QA", "jobTitle", "Process Engineer", "mobilePhone", "0601 555 0147", "displayName", "Wisniewska, Katarzyna")
		}, 900, 1793},
		{"moved here, 14 properties, edited three times within minutes", func(b *directory.Binding) {
			b.Created, b.MovedFrom = true, "con_06h29qk3tc4rv0a9zgdr8t78zg"
			for i, was := range []string{"Research", "Works"} {
				b.Writes = append(b.Writes, directory.PropertyWrites{At: b.AccountSince.Add(time.Duration(i+1) * time.Minute), Names: []string{"department"},
					Before: directory.Properties{"department": directory.StringValue(was)}})
			}
		}, 900, 1855},
	} {
		b, _ := engineer()
		person.edit(&b)
		it := marked(&b)
		size, json := it.Size(), it.Size()-len(it.Body)+len(encode(b))
		if size != person.bytes || json != person.json || size > 1024 {
			t.Errorf("%s: %d bytes, as JSON %d; want %d, %d, and no more than 1024", person.name, size, json, person.bytes, person.json)
		}
	}
}

// TestPackedBinding: a binding is read in either form as it was; one that cannot be
// unpacked is a broken record.
func TestPackedBinding(t *testing.T) {
	b, packed := engineer()
	older := packed
	older.Body = encode(b)
	want, err := decodeBinding(older)
	must(t, err)
	got, err := decodeBinding(packed)
	if err != nil || !reflect.DeepEqual(got, want) || packed.Body[0] != packedBody {
		t.Errorf("a packed binding: %+v, %v\nwant %+v", got, err, want)
	}
	bomb := append([]byte{packedBody}, packedZeros(t, 4<<20)...)
	for what, broken := range map[string][]byte{
		"cut": packed.Body[:len(packed.Body)-9], "the first byte alone": {packedBody}, "another first byte": append([]byte{2}, packed.Body[1:]...),
		"no JSON within": packBody(bytes.Repeat([]byte("x"), 100)), "too long": bomb, "nothing": {},
	} {
		it := packed
		it.Body = broken
		if _, err := decodeBinding(it); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v, want a record that cannot be read", what, err)
		}
	}
	if got, err := decodeBinding(packed); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("after broken ones: %+v, %v", got, err)
	}
}

// packedZeros are n zeros, packed.
func packedZeros(t *testing.T, n int) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := newPacker()
	w.Reset(&packed)
	zeros := make([]byte, 1<<20)
	for range n / len(zeros) {
		_, err := w.Write(zeros)
		must(t, err)
	}
	must(t, w.Close())
	return packed.Bytes()
}

// TestPackedFormStays: what was packed once is read for ever, and what is packed now is
// read by the version before, which read this form and wrote none.
func TestPackedFormStays(t *testing.T) {
	const words = "de5c4fce1e1e31b624d046421e7253f92115899c3d4b179829bdab46ada4e15a"
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(bodyWords))); sum != words {
		t.Errorf("the words of packed bodies have the sum %s: they must never change", sum)
	}
	b, it := engineer()
	const first = "AaSUy47TMBRAf8XqlrrydRw/ZgVIrHhoeEhISLO4dp2MlcZhnKSlleZL+B7+CxV12jTJwAKvHSm+95wzgoLJe24eqmzLcm2qHSpT8HbPbF3O4/J0v3MibRmaQ7lOulP6wJ4DiZ8ORUSkwlpLtXOOssuBEWyovFQSLc1d5qgo1oZabYF6yVD5XPIMszkguaQso4x/YeYG+I3IV1Jpw4Bn4tsze6yww3TYR1ztQhuD37UVvqwx9gW6rk8hliv/A+vvGz+P9d8Znhr8QmjCOcnznDAgQi3uliPrPzSpu9+FuCbvh7+xGBnxscdN6PbkVdv2CY8TGCvy9ulp5Gv49fP0tuOWho1gTGjIQS6urTl/e63PZx9Dk8htapxvW/ImliF6n6ZWzY11bNqfWUgGp2EItVhOA/e6D5tjLohakk9NU5NsBSAWQ0OvXzcu4u27/9/840VuGNoNA71h7LcuQHiRF9R5j1RIVVBkXlJEsMKptTeWTxtwQVjPIXzdh/NlYHOXp+34hyDnlpxXfrccdGUAwoSASXNOoRBQi/1DWXlhYAttxMwNa5TB4+8AAAD//w=="
	body, err := base64.StdEncoding.DecodeString(first)
	must(t, err)
	unpacked, err := unpackBody(body)
	if err != nil || string(unpacked) != string(encode(b)) {
		t.Errorf("a body of the first version that packed them: %q, %v\nwant %s", unpacked, err, encode(b))
	}
	r := flate.NewReaderDict(bytes.NewReader(it.Body[1:]), []byte(bodyWords))
	if before, err := io.ReadAll(io.LimitReader(r, 1<<20)); err != nil || it.Body[0] != 1 || string(before) != string(encode(b)) {
		t.Errorf("the version before reads %q, %v", before, err)
	}
}

// TestNotPacked: a body that would not be shorter stays as it is, and so does one that
// could be too large for whoever has to write it as JSON.
func TestNotPacked(t *testing.T) {
	noise := make([]byte, 1000)
	random := rand.NewChaCha8([32]byte{})
	_, err := random.Read(noise)
	must(t, err)
	for what, body := range map[string][]byte{"short": []byte("{}"), "noise": noise, "large": bytes.Repeat([]byte(" "), largestPacked+1)} {
		if got := packBody(body); !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes became %d", what, len(body), len(got))
		}
	}
	if got := packBody(bytes.Repeat([]byte(" "), largestPacked)); got[0] != packedBody {
		t.Error("the largest body that is packed was not")
	}
}

// FuzzUnpack: whatever a body is, it is unpacked to a bounded one or refused, and what
// was packed is unpacked.
func FuzzUnpack(f *testing.F) {
	_, it := engineer()
	for _, body := range [][]byte{it.Body, encode("x"), {packedBody}, {packedBody, 0xff}, nil} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if unpacked, err := unpackBody(body); err == nil && len(unpacked) > max(maxBody, len(body)) {
			t.Errorf("%d bytes unpacked to %d", len(body), len(unpacked))
		}
		it := table.Item{Body: body}
		if _, err := decodeBinding(it); err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("decode: %v", err)
		}
		if len(body) > 0 && body[0] == packedBody {
			return // no body that is not packed begins so
		}
		if again, err := unpackBody(packBody(body)); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%d bytes became %d, %v", len(body), len(again), err)
		}
	})
}

func BenchmarkEncodeBinding(b *testing.B) {
	person, _ := engineer()
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encode(&person)
		}
	})
	b.Run("packed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encodeBinding(&person)
		}
	})
}

func BenchmarkDecodeBinding(b *testing.B) {
	person, packed := engineer()
	json := packed
	json.Body = encode(person)
	for name, it := range map[string]table.Item{"json": json, "packed": packed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decodeBinding(it); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
