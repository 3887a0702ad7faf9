package audit

import (
	"fmt"
	"time"

	"bindery/shared/directory"
)

func failedNotification(r *directory.Run, now time.Time) directory.Notification {
	n := directory.Notification{
		ID: "run.failed:" + string(r.ID), Type: directory.NotificationRunFailed, At: now.UTC(), ConnectionID: r.ConnectionID, RunID: r.ID,
		Text: fmt.Sprintf("The run %s was given up. The connection goes on with its next run.", r.ID), Facts: runFactsOf(r),
	}
	if r.Error != nil {
		n.Text = fmt.Sprintf("The run %s was given up: %s The connection goes on with its next run.", r.ID, directory.Impersonal(r.Error.Sentence()))
	}
	return n
}

// RunFacts are the facts of a notification about a run.
type RunFacts struct {
	State   directory.RunState       `json:"state"`
	Counts  map[directory.Effect]int `json:"counts"`
	Applied int                      `json:"applied"`
	Failed  int                      `json:"failed"`
	Refused int                      `json:"refused"`
	Code    string                   `json:"code,omitempty"` // of what failed
	// What Microsoft's support asks for, where Microsoft answered; else Incident,
	// under which Bindery's log says more.
	MicrosoftCode string            `json:"microsoftCode,omitempty"`
	RequestID     string            `json:"requestId,omitempty"`
	Incident      string            `json:"incident,omitempty"`
	Reasons       []string          `json:"reasons,omitempty"` // why it is held
	DryRun        bool              `json:"dryRun,omitempty"`
	RunKind       directory.RunKind `json:"kind"`
	Approval      string            `json:"approval,omitempty"` // the call that lets a held run go on
}

func runFactsOf(r *directory.Run) RunFacts {
	f := RunFacts{State: r.State, Counts: r.Counts, Applied: r.Applied, Failed: r.Failed, Refused: r.Refused, DryRun: r.DryRun, RunKind: r.Kind}
	if r.Error != nil {
		f.Code, f.MicrosoftCode, f.RequestID, f.Incident = r.Error.Code, r.Error.MicrosoftCode, r.Error.RequestID, r.Error.Incident
	}
	if r.Held != nil {
		for _, reason := range r.Held.Reasons {
			f.Reasons = append(f.Reasons, directory.Impersonal(reason))
		}
		f.Approval = "POST /v1/runs/" + string(r.ID) + "/approve"
	}
	return f
}
