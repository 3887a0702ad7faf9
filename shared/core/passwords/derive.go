package passwords

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"

	"bindery/shared/directory"
)

// Derivation is what a password, or the seal of its record, is derived from.
type Derivation struct {
	connection directory.ConnectionID
	tenant     directory.TenantID
	epoch      int64
	user       directory.UserID
}

// Of is the derivation for a user who is bound through a connection in an epoch.
func Of(c *directory.Connection, epoch int64, u directory.UserID) Derivation {
	d := Derivation{connection: c.ID, epoch: epoch, user: u}
	if c.Tenant != nil {
		d.tenant = c.Tenant.ID
	}
	return d
}

func (d Derivation) mac(key directory.Secret, use string, more ...string) string {
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	for _, s := range append([]string{use, string(d.connection), string(d.tenant), strconv.FormatInt(d.epoch, 10), string(d.user)}, more...) {
		fmt.Fprintf(mac, "%d:%s", len(s), s)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Password is the one that a record is of.
func (d Derivation) Password(key directory.Secret, p *directory.InitialPassword) directory.Secret {
	return Complex(d.mac(key, "temporary password", string(p.ChangeID))[:20])
}

// Seal is what only who has the key can write: it holds a record to its user,
// epoch and account. account is empty until there is one.
func (d Derivation) Seal(key directory.Secret, p *directory.InitialPassword, account directory.AccountID) string {
	return d.mac(key, "record of a temporary password", string(p.ChangeID), p.Key, strconv.FormatInt(p.At.UnixMilli(), 10), strconv.FormatBool(p.Doubt), string(account))[:22]
}

// Sealed reports whether a record is as it was written for an account.
func (d Derivation) Sealed(key directory.Secret, p *directory.InitialPassword, account directory.AccountID) bool {
	return hmac.Equal([]byte(p.Seal), []byte(d.Seal(key, p, account)))
}

// KeyVersion tells keys apart, and says nothing about them.
func KeyVersion(key directory.Secret) string {
	return Derivation{}.mac(key, "version of the key of temporary passwords")[:12]
}

// Complex adds what Microsoft's rule of three classes out of four asks
// for, whatever the text holds.
func Complex(text string) directory.Secret { return directory.NewSecret("aZ7-" + text) }

// Temporary reports whether new accounts get a password that is shown once.
func Temporary(s directory.Settings) bool { return s.Defaulted().InitialAccess == "temporary-password" }
