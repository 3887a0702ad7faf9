package activity

// Service is all that admins and the other packages ask of activity. Its fields
// are set once, before use.
type Service struct {
	Report
}
