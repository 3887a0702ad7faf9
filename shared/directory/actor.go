package directory

import "time"

// Actor is who changed something at Microsoft, as its audit log says.
type Actor struct {
	Name string    `json:"name"` // an account's userPrincipalName, or an app's name
	At   time.Time `json:"at"`
	// Admin says that it was the account that authorised the connection: we, or
	// somebody who uses it for other things.
	Admin bool `json:"admin,omitempty"`
}

// String is a phrase that follows upon what was done; "" for nobody.
func (a *Actor) String() string {
	if a == nil || a.Name == "" {
		return ""
	}
	return " by " + a.Name + " at " + a.At.UTC().Format(time.RFC3339)
}
