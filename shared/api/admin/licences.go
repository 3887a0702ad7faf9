package admin

import (
	"context"
	"net/http"

	"bindery/shared/core/seats"
	"bindery/shared/directory"
)

// Licences shows the products of tenants and their seats; *seats.Service does.
type Licences interface {
	List(ctx context.Context, id directory.ConnectionID) (seats.Listing, error)
	StartCount(ctx context.Context, by directory.Caller, id directory.ConnectionID) (directory.Job, error)
}

func (a *API) licences() {
	const path = "/v1/connections/{id}/licences"
	register(a, operation{id: "listLicences", method: http.MethodGet, path: path, scope: ScopeRead,
		summary: "List the products that the tenant has licences of, with their seats",
		more: "Seats and status are what Microsoft says now (its number of used seats lags by minutes; it tells no date of expiry). given is added up as our ledgers are written; waiting is read from what is stored, up to 2,000 users. " +
			"counted, who has a product from others, by a group, or on a blocked account, takes a look at all accounts of the tenant: it is what the last count found, and the listing's counted says when."}, a.listLicences)
	register(a, operation{id: "countLicences", method: http.MethodPost, path: path + "/count", scope: ScopeWrite, status: 202,
		summary: "Count who of the tenant has which product", more: "Reads all accounts of the tenant with their licences, 999 a request.", also: later(schema[Job](a))}, a.countLicences)
}

func (a *API) listLicences(ctx context.Context, _ Caller, in *ConnectionPath) (*output[seats.Listing], error) {
	list, err := a.Licences.List(ctx, directory.ConnectionID(in.ID))
	return &output[seats.Listing]{list}, err
}

func (a *API) countLicences(ctx context.Context, by Caller, in *ConnectionPath) (*accepted, error) {
	return acceptedJob(a.Licences.StartCount(ctx, by.Caller, directory.ConnectionID(in.ID)))
}
