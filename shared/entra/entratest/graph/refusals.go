package graph

import (
	"fmt"
	"net/http"

	"bindery/shared/entra/entratest/odata"
	"bindery/shared/entra/entratest/state"
)

// badRequest refuses what the directory does not take.
func badRequest(format string, args ...any) *odata.Error {
	return odata.Refuse("Request_BadRequest", format, args...)
}

// badValue refuses a value with a sentence, and a detail that repeats it.
func badValue(code, target, message string) *odata.Error {
	return badRequest("%s", message).With(odata.Detail{Code: code, Message: message, Target: target})
}

func invalidValue(resource, name string) *odata.Error {
	return badValue("InvalidValue", name, fmt.Sprintf("Invalid value specified for property '%s' of resource '%s'.", name, resource))
}

func invalidLength(resource, name string) *odata.Error {
	return badValue("InvalidLength", name, fmt.Sprintf("Invalid value specified for property '%s' of resource '%s'.", name, resource))
}

func wrongType(name, want string) *odata.Error {
	return badRequest("Cannot convert the literal in property '%s' to the expected type '%s'.", name, want)
}

func unknownProperty(name, resource string) *odata.Error {
	return badRequest("One or more property values specified are invalid. The property '%s' does not exist on type '%s' or its name is misspelled.", name, resource)
}

func readOnly(name string) *odata.Error {
	return badRequest("Property '%s' is read-only and cannot be set.", name)
}

func required(resource, name string) *odata.Error {
	return badRequest("A value is required for property '%s' of resource '%s'.", name, resource)
}

// taken refuses a value that must be unique and that another object has.
func taken(name string) *odata.Error {
	return badValue("ObjectConflict", name, fmt.Sprintf("Another object with the same value for property %s already exists.", name))
}

// conflictError is the refusal that a conflict makes, nil when there is none.
func conflictError(c *state.Conflict) *odata.Error {
	switch {
	case c == nil:
		return nil
	case c.Property == "onPremisesImmutableId":
		return badRequest("A conflicting object with one or more of the specified property values is present in the directory.")
	case c.Property == "proxyAddresses":
		return taken(c.Property).With(conflictingObject(state.TableOf(c.With.Kind).Resource, c.With.ID))
	}
	return taken(c.Property)
}

// conflictingObject is the detail that names the object that has an address.
func conflictingObject(resource, id string) odata.Detail {
	return odata.Detail{Code: "ConflictingObjects", Message: fmt.Sprintf("The conflicting object is %s_%s.", resource, id), Target: "proxyAddresses"}
}

func notThere(id string) *odata.Error {
	return &odata.Error{
		Status: http.StatusNotFound, Code: "Request_ResourceNotFound",
		Message: fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", id),
	}
}

func denied() *odata.Error {
	return &odata.Error{
		Status: http.StatusForbidden, Code: "Authorization_RequestDenied",
		Message: "Insufficient privileges to complete the operation.", Free: true,
	}
}

func unauthorized(message string) *odata.Error {
	return &odata.Error{
		Status: http.StatusUnauthorized, Code: "InvalidAuthenticationToken", Message: message, Free: true,
		Header: map[string]string{"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`},
	}
}

func onPremises() *odata.Error {
	return badRequest("Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
}

// failed is the answer when the simulator itself cannot go on.
func failed(err error) *odata.Error {
	return &odata.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: fmt.Sprintf("the simulator: %v", err)}
}
