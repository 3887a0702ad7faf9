package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"bindery/shared/directory"
)

// Names are what people call things, by their IDs.
type Names struct {
	Names map[string]string `json:"names" doc:"By ID. What is not there is left out."`
}

const (
	mostNamesAtOnce       = 100
	mostConnectionsAtOnce = 10
)

func (a *API) names() {
	register(a, operation{id: "getNames", method: http.MethodGet, path: "/v1/names", scope: ScopeRead,
		summary: "Say what users, groups, connections and SCIM clients are called, deleted users and groups as well",
		more:    "Whoever shows a page of changes, problems or activity has all of its names by one call."}, a.getNames)
}

func (a *API) getNames(ctx context.Context, _ Caller, in *struct {
	IDs []string `query:"id" maxItems:"100" doc:"Users (usr_…), groups (grp_…) up to 10 connections (con_…) and up to 10 SCIM clients (scl_…), with commas between"`
}) (*output[Names], error) {
	var users []directory.UserID
	var groups []directory.GroupID
	var connections []directory.ConnectionID
	var clients []directory.ScimClientID
	for _, id := range in.IDs {
		switch kind, _, _ := strings.Cut(id, "_"); kind {
		case "usr":
			users = append(users, directory.UserID(id))
		case "grp":
			groups = append(groups, directory.GroupID(id))
		case "con":
			connections = append(connections, directory.ConnectionID(id))
		case "scl":
			clients = append(clients, directory.ScimClientID(id))
		default:
			return nil, badNames("is no ID of a user, a group, a connection or a SCIM client")
		}
	}
	if len(in.IDs) == 0 || len(in.IDs) > mostNamesAtOnce || len(connections) > mostConnectionsAtOnce || len(clients) > mostConnectionsAtOnce {
		return nil, badNames("takes from 1 to 100 IDs, of which 10 may be of connections, and 10 of SCIM clients")
	}
	out := Names{map[string]string{}}
	if len(users) > 0 {
		list, err := a.Users.ByID(ctx, users)
		if err != nil {
			return nil, err
		}
		for i := range list {
			out.Names[string(list[i].ID)] = list[i].Label()
		}
	}
	if len(groups) > 0 {
		list, err := a.Groups.ByID(ctx, groups)
		if err != nil {
			return nil, err
		}
		for i := range list {
			out.Names[string(list[i].ID)] = list[i].Name
		}
	}
	for _, id := range connections {
		c, err := a.Stores.Connections.Connection(ctx, id)
		switch {
		case err == nil:
			out.Names[string(id)] = c.Name
		case !errors.Is(err, directory.ErrNotFound):
			return nil, err
		}
	}
	for _, id := range clients {
		c, err := a.ScimClients.Get(ctx, id)
		switch {
		case err == nil:
			out.Names[string(id)] = c.Name
		case !errors.Is(err, directory.ErrNotFound):
			return nil, err
		}
	}
	return &output[Names]{out}, nil
}

func badNames(fault string) error {
	r := directory.Refuse(directory.ErrInvalid, directory.CodeInvalidParameter, "The parameter id cannot be answered.", "Send IDs as the API gives them, with commas between.")
	r.Fields = []directory.FieldError{{Field: "id", Detail: fault}}
	return r
}
