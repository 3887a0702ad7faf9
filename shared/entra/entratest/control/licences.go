package control

import (
	"net/http"

	"bindery/shared/entra/entratest/licensing"
	"bindery/shared/entra/entratest/portal"
	"bindery/shared/entra/entratest/state"
)

func (a *API) listLicences(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	list, err := a.on.Portal.Licences(tenantID)
	return http.StatusOK, map[string]any{"licences": list}, err
}

func (a *API) putLicence(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var sku state.SKU
	if err := read(r, &sku); err != nil {
		return 0, nil, err
	}
	if ref := r.PathValue("sku"); state.IsGUID(ref) {
		sku.SKUID = ref
	} else {
		sku.SKUPartNumber = ref
	}
	if err := a.on.Portal.SetLicence(tenantID, sku); err != nil {
		return 0, nil, err
	}
	return a.listLicences(r)
}

func (a *API) expireLicence(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	if err := a.on.Portal.ExpireLicence(tenantID, r.PathValue("sku")); err != nil {
		return 0, nil, err
	}
	return a.listLicences(r)
}

func (a *API) putLicenceService(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var s portal.LicenceService
	if err := read(r, &s); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.on.Portal.SetLicenceService(tenantID, s)
}

func (a *API) assignLicences(r *http.Request) (int, any, error) {
	tenantID, err := a.tenant(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		licensing.Request

		Actor string `json:"actor"`
		To    string `json:"to"`
	}
	if err := read(r, &in); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, a.on.Portal.AssignLicences(tenantID, in.Actor, in.To, in.Request)
}
