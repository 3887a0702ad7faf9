package directory

import "crypto/rand"

// NewIncident returns a fresh ID of an incident: "inc_" and 60 random bits, short
// enough to be read out over a telephone.
func NewIncident() string {
	var raw [12]byte
	rand.Read(raw[:]) // never fails
	id := []byte("inc_")
	for _, b := range raw {
		id = append(id, idAlphabet[b&31])
	}
	return string(id)
}

// Sentence is the problem's message, with the incident to ask for.
func (p *Problem) Sentence() string {
	if p.Incident == "" {
		return p.Message
	}
	return p.Message + " The log says more under the incident " + p.Incident + "."
}

// Advice is the problem's message, with what is to be done.
func (p *Problem) Advice() string {
	if p.Next == "" {
		return p.Message
	}
	return p.Message + " " + p.Next
}
