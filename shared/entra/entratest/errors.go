package entratest

import (
	"fmt"
	"net/http"
)

// graphError is a refusal of Graph.
type graphError struct {
	status  int
	code    string
	message string
	details []detail
	header  map[string]string
	free    bool // costs no resource units
}

type detail struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
}

func badGraph(code, format string, args ...any) *graphError {
	return &graphError{status: http.StatusBadRequest, code: code, message: fmt.Sprintf(format, args...), free: true}
}

func request400(format string, args ...any) *graphError {
	return badGraph("Request_BadRequest", format, args...)
}

func (e *graphError) with(d ...detail) *graphError {
	e.details = append(e.details, d...)
	return e
}

func invalidValue(resource, name string) *graphError {
	m := fmt.Sprintf("Invalid value specified for property '%s' of resource '%s'.", name, resource)
	return request400("%s", m).with(detail{"InvalidValue", m, name})
}

func invalidLength(resource, name string) *graphError {
	m := fmt.Sprintf("Invalid value specified for property '%s' of resource '%s'.", name, resource)
	return request400("%s", m).with(detail{"InvalidLength", m, name})
}

func wrongType(name, want string) *graphError {
	return request400("Cannot convert the literal in property '%s' to the expected type '%s'.", name, want)
}

func unknownProperty(name, resource string) *graphError {
	return request400("One or more property values specified are invalid. The property '%s' does not exist on type '%s' or its name is misspelled.", name, resource)
}

func readOnly(name string) *graphError {
	return request400("Property '%s' is read-only and cannot be set.", name)
}

func required(resource, name string) *graphError {
	return request400("A value is required for property '%s' of resource '%s'.", name, resource)
}

func taken(name string) *graphError {
	m := fmt.Sprintf("Another object with the same value for property %s already exists.", name)
	return request400("%s", m).with(detail{"ObjectConflict", m, name})
}

// proxyTaken names the object that has the address.
func proxyTaken(other *object) *graphError {
	kind := "User"
	if other.Kind == kindGroup {
		kind = "Group"
	}
	return taken("proxyAddresses").with(detail{"ConflictingObjects",
		fmt.Sprintf("The conflicting object is %s_%s.", kind, other.ID), "proxyAddresses"})
}

func notThere(id string) *graphError {
	return &graphError{
		status: http.StatusNotFound, code: "Request_ResourceNotFound",
		message: fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id),
	}
}

func denied() *graphError {
	return &graphError{
		status: http.StatusForbidden, code: "Authorization_RequestDenied",
		message: "Insufficient privileges to complete the operation.", free: true,
	}
}

func unauthorized(message string) *graphError {
	return &graphError{
		status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: message, free: true,
		header: map[string]string{"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`},
	}
}

func onPremises() *graphError {
	return request400("Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
}

func needsAdvanced(what string) *graphError {
	return badGraph("Request_UnsupportedQuery", "%s is not supported or required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. Refer to https://aka.ms/graph-docs/advanced-queries for more information.", what)
}

func noSuchPath(method, segment string) *graphError {
	return badGraph("BadRequest", "Resource not found for the segment '%s'. (%s)", segment, method)
}
