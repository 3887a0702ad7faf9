package demo

import (
	"strings"

	"bindery/shared/entra/entratest"
)

// protectedWrites counts what an app wrote to accounts that nothing may be
// written to.
func protectedWrites(log []entratest.Mutation, userPrincipalNames ...string) int {
	n := 0
	for _, m := range log {
		for _, upn := range userPrincipalNames {
			if m.AppID != "" && strings.EqualFold(m.UPN, upn) {
				n++
			}
		}
	}
	return n
}
