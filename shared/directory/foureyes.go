package directory

import "slices"

// OtherEyes refuses a decision (an approval, a confirmation, a lift, a
// loosening) by one of those who asked for what is decided, when the settings
// want four eyes. by and asked are subjects of callers; an empty one among
// asked is nobody. Declining needs no other eyes. The error is a *Refusal.
func (s *Settings) OtherEyes(by string, asked ...string) error {
	if !s.FourEyes || by != "" && !slices.Contains(asked, by) {
		return nil
	}
	return Refuse(ErrForbidden, CodeFourEyes,
		"You asked for this, and by the connection's settings (fourEyes) nobody decides about their own request.",
		"Have somebody else with the scope bindery/approve decide.")
}
