// Package passwords knows the passwords that new accounts begin with, and shows
// them.
//
// The password of a new account is random by default, and nobody ever knows it.
// With the setting temporary-password it is derived under a key of the vault, so
// that it can be shown once without having been stored anywhere:
//
//	before the creation is sent   the binding gets an InitialPassword: for which
//	                              change, under which version of the key
//	sent, and sent again          the same password, whichever process sends it;
//	                              also when a later run plans the creation anew
//	                              because the answer was lost
//	refused by Microsoft          it is forgotten: the next try has another one
//	created, or found created     the record is sealed for the account and its time
//	shown                         once, within temporaryPasswordHours, while the
//	                              key is that of the record and the seal fits
//
// When the key was rotated before the answer came, nobody knows which of two
// passwords the account has: the record says so, and neither is shown.
package passwords
