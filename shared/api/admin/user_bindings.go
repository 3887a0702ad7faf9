package admin

import (
	"context"
	"net/http"
	"time"

	"bindery/shared/directory"
)

// UserBinding is what a user is bound by, seen from the user.
type UserBinding struct {
	Binding
	ConnectionName   string                     `json:"connectionName"`
	ConnectionStatus directory.ConnectionStatus `json:"connectionStatus" enum:"pending,awaiting-confirmation,active,needs-authorization,deactivated"`
	Beside           []BoundBeside              `json:"beside" doc:"What the connection keeps of the user besides the account, as far as it does. GET /v1/users/{id}/explain with about says more."`
}

// BoundBeside is something of a user that is kept besides the account.
type BoundBeside struct {
	About     string                  `json:"about" enum:"manager,licences" doc:"As the parameter about of explain."`
	Status    directory.BindingStatus `json:"status" enum:"pending,in-sync,conflict,refused,read-only,paused,failed"`
	Problem   *directory.Problem      `json:"problem,omitempty"`
	Findings  []directory.Problem     `json:"findings,omitempty" doc:"Reported without being acted on."`
	LastWrite *time.Time              `json:"lastWrite,omitempty"`
	RunID     directory.RunID         `json:"runId,omitempty" doc:"The run that last planned it."`
}

func (a *API) userBindings() {
	register(a, operation{id: "listBindingsOfUser", method: http.MethodGet, path: "/v1/users/{id}/bindings", scope: ScopeRead,
		summary: "List the bindings of a user: one, or none, since nobody has two",
		more:    "A binding that its connection's deactivation has ended is not among them."}, a.listBindingsOfUser)
}

func (a *API) listBindingsOfUser(ctx context.Context, _ Caller, in *UserPath) (*listOutput[UserBinding], error) {
	found, err := a.Bindings.OfUser(ctx, directory.UserID(in.ID))
	if err != nil {
		return nil, err
	}
	items := []UserBinding{}
	if found != nil {
		v := UserBinding{Binding: viewBinding(&found.Binding), ConnectionName: found.Connection.Name, ConnectionStatus: found.Connection.Status, Beside: []BoundBeside{}}
		for i := range found.Beside {
			v.Beside = append(v.Beside, viewBeside(&found.Beside[i], &found.Binding))
		}
		expected := []Binding{v.Binding}
		if err := a.expect(ctx, &found.Connection, expected); err != nil {
			return nil, err
		}
		v.Binding = expected[0]
		items = append(items, v)
	}
	return &listOutput[UserBinding]{list[UserBinding]{Items: items}}, nil
}

// viewBeside shows a record that is kept beside the binding of a user.
func viewBeside(b, of *directory.Binding) BoundBeside {
	v := BoundBeside{About: "manager", Status: b.Status, Problem: b.Problem.For(of.ConnectionID, of.UserID), Findings: b.Findings, RunID: b.RunID}
	if b.Ref().Kind == directory.KindLicence {
		v.About = "licences"
	}
	if !b.LastWrite.IsZero() {
		v.LastWrite = &b.LastWrite
	}
	return v
}
