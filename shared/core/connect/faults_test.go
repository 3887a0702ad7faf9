package connect

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
	"bindery/shared/platform/vault"
)

// TestFaultsAreReported: what no tenant's admin can mend is reported to those who
// run Bindery, and nothing else is.
func TestFaultsAreReported(t *testing.T) {
	for _, tt := range []struct {
		name string
		meet func(w *world, s *Service)
		want map[Fault]int
	}{
		{"nothing", func(*world, *Service) {}, map[Fault]int{}},
		{"the secret has expired", func(w *world, _ *Service) { w.fault(entratest.Fault{Kind: "token", AADSTS: 7000222}) }, map[Fault]int{ClientSecretRefused: 1}},
		{"the secret is wrong", func(w *world, _ *Service) { w.fault(entratest.Fault{Kind: "token", AADSTS: 7000215}) }, map[Fault]int{ClientSecretRefused: 1}},
		{"the secret cannot be read", func(_ *world, s *Service) {
			s.cfg.ClientSecret = func(context.Context) (directory.Secret, error) {
				return directory.Secret{}, errors.New("denied")
			}
		}, map[Fault]int{ClientSecretRefused: 1}},
		{"the tenant's admin is blocked", func(w *world, _ *Service) { w.fault(entratest.Fault{Kind: "token", AADSTS: 50057}) }, map[Fault]int{}},
		{"the vault takes nothing", func(w *world, _ *Service) {
			w.vault.Before = func(_ context.Context, call vault.Call) error {
				if call.Method == "Put" {
					return errCrash
				}
				return nil
			}
		}, map[Fault]int{TokensUnsaved: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				c := w.connected("Contoso", adminUPN)
				time.Sleep(2 * time.Hour)
				s, got := w.process(), map[Fault]int{}
				s.cfg.Report = func(_ context.Context, f Fault) { got[f]++ }
				tt.meet(w, s)
				_, _ = w.token(s, &c)
				if !maps.Equal(got, tt.want) {
					t.Errorf("reported %v, want %v", got, tt.want)
				}
			})
		})
	}
}
