package entra

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"bindery/shared/directory"
	"bindery/shared/entra/entratest"
)

// readAudits reads the audit log to its end.
func (w *world) readAudits(q directory.DirectoryAuditQuery) ([]directory.DirectoryAudit, int) {
	w.Helper()
	var list []directory.DirectoryAudit
	for link, pages := "", 0; ; {
		page, err := w.tenant.Audits(w.Context(), q, link)
		if err != nil {
			w.Fatal(err)
		}
		list, pages = append(list, page.Events...), pages+1
		if link = page.Next; link == "" {
			return list, pages
		}
	}
}

func TestAudits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, directory.ScopeAuditLog)
	all := directory.DirectoryAuditQuery{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}
	w.write(directory.Write{Effect: directory.EffectUpdate, AccountID: plainID, Properties: directory.Properties{
		"department": directory.StringValue("Q&A's"), "officeLocation": directory.StringValue("B 2")}})
	w.write(directory.Write{Effect: directory.EffectBlock, AccountID: boxID, Properties: directory.Properties{
		directory.PropAccountEnabled: directory.BoolValue(false)}})
	if err := w.sim.EditAccount(simTenant, plainID, map[string]any{"city": "Basel"}); err != nil {
		t.Fatal(err)
	}
	mine := all
	mine.InitiatedBy = adminID
	list, _ := w.readAudits(mine)
	found := map[string]directory.DirectoryAudit{}
	for _, e := range list {
		if e.ByUser == nil || e.ByUser.ID != adminID || e.Result != "success" || e.CorrelationID == "" {
			t.Errorf("event = %+v", e)
		}
		found[e.Activity+" "+e.Targets[0].ID] = e
	}
	update := found["Update user "+plainID]
	names := map[string]string{}
	for _, p := range update.Targets[0].Properties {
		names[p.Name] = p.Before + " → " + p.After
	}
	if names["Department"] != `["Sales"] → ["Q\u0026A's"]` || names["PhysicalDeliveryOfficeName"] == "" || update.Targets[0].Type != "User" || update.Operation != "Update" {
		t.Errorf("update = %+v", update)
	}
	if a, b := found["Update user "+boxID], found["Disable account "+boxID]; a.CorrelationID == "" || a.CorrelationID != b.CorrelationID || a.ID == b.ID {
		t.Errorf("block = %+v, %+v", a, b)
	}
	of := all
	of.Target = plainID
	if list, _ := w.readAudits(of); len(list) != 2 || list[0].At.Before(list[1].At) || list[0].ByUser.ID != "" {
		t.Errorf("of one account = %+v", list)
	}
	of.Target = "o'neill' or 1 eq 1"
	if list, _ := w.readAudits(of); len(list) != 0 {
		t.Errorf("of a strange account = %+v", list)
	}
	past := directory.DirectoryAuditQuery{Since: time.Now().Add(-2 * time.Hour), Until: time.Now().Add(-time.Hour)}
	if list, _ := w.readAudits(past); len(list) != 0 {
		t.Errorf("of the past = %+v", list)
	}
}

func TestAuditsAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, directory.ScopeAuditLog)
	for i := range 1100 {
		if err := w.sim.EditAccount(simTenant, plainID, map[string]any{"city": fmt.Sprint("City ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	list, pages := w.readAudits(directory.DirectoryAuditQuery{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Target: plainID})
	if len(list) != 1100 || pages != 2 {
		t.Errorf("%d events on %d pages", len(list), pages)
	}
}

// What keeps the log from being read is told apart.
func TestAuditsRefused(t *testing.T) {
	t.Parallel()
	q := directory.DirectoryAuditQuery{Since: time.Now().Add(-time.Hour), Until: time.Now()}
	problem := func(w *world) *directory.Problem {
		t.Helper()
		_, err := w.tenant.Audits(t.Context(), q, "")
		p, ok := errors.AsType[*directory.Problem](err)
		if !ok || p.MicrosoftStatus != 403 {
			t.Fatalf("Audits = %v, want a problem of 403", err)
		}
		return p
	}
	if p := problem(newWorld(t, 0)); p.Code == "premium-license-missing" {
		t.Errorf("without the scope = %+v", p)
	}
	w := newWorld(t, 0, directory.ScopeAuditLog)
	w.fault(entratest.Fault{Kind: "premium"})
	if p := problem(w); p.Code != "premium-license-missing" {
		t.Errorf("without a licence = %+v", p)
	}
	w = newWorld(t, 0, directory.ScopeAuditLog)
	for range 5 {
		if _, err := w.tenant.Audits(t.Context(), q, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.tenant.Audits(t.Context(), q, ""); err == nil {
		t.Error("a sixth call within ten seconds is let through")
	} else if throttled, ok := errors.AsType[*directory.ThrottledError](err); !ok || throttled.RetryAfter <= 0 {
		t.Errorf("the sixth call = %v", err)
	}
	w = newWorld(t, 0, directory.ScopeAuditLog)
	for _, body := range []string{`{"value":null}`, `[]`, `{"value":[{"id":1}]}`, `{"value":[],"@odata.nextLink":"https://elsewhere.example/v1.0/auditLogs/directoryAudits?$skiptoken=x"}`} {
		w.round = func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}
		if _, err := w.tenant.Audits(t.Context(), q, ""); err == nil {
			t.Errorf("the answer %s is taken", body)
		}
	}
}
