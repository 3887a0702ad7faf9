package directory

// Caller is who asks for something: an argument of whatever changes something, so
// that what is done can be told of its author.
type Caller struct {
	// Subject is that of the caller's token, or BySystem.
	Subject string
	// Client is the app that the token was given to; "" when it does not say.
	Client string
	// Source is what a caller that feeds the directory writes as.
	Source Source
	// RequestID is that of the request; "" outside of one.
	RequestID string
}

// System is the caller of what nobody asked for.
var System = Caller{Subject: BySystem}

// Act is the audit event of what the caller does. The store fills in the rest, in
// the transaction that writes what was done.
func (c Caller) Act(kind string) Act {
	act := Act{Kind: kind, By: c.Subject, Source: c.Source}
	if act.Source == SourceManual {
		act.Source = ""
	}
	return act
}
