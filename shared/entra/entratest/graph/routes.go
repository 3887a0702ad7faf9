package graph

import (
	"net/http"
	"slices"
	"strings"

	"bindery/shared/entra/entratest/odata"
)

// operation does what a call asks for, while nobody else reads or changes the state.
type operation func(c *call) (*reply, *odata.Error)

// route is one operation and where it is: a pattern in lower case in which {} stands
// for any segment.
type route struct {
	method, pattern string
	do              operation
}

// routes is all of Graph that there is; the first that fits is taken.
var routes = slices.Concat(
	userRoutes, managerRoutes, licenceRoutes, photoRoutes, membershipRoutes,
	groupRoutes, memberRoutes, groupPolicyRoutes,
	deletedRoutes, directoryObjectRoutes, roleRoutes,
	organizationRoutes, domainRoutes, grantRoutes, auditRoutes,
)

// operations are the functions and actions that may have the namespace in front.
var operations = map[string]bool{
	"delta": true, "restore": true, "assignlicense": true, "reprocesslicenseassignment": true, "revokesigninsessions": true, "getbyids": true,
	"getmembergroups": true, "checkmembergroups": true, "renew": true, "validateproperties": true,
}

// dispatch finds the operation and does it.
func (c *call) dispatch() (*reply, *odata.Error) {
	if c.path.Names[0] == "me" && len(c.path.Names) > 1 { // me/… is users/{own id}/…
		c.path = odata.Path{
			Names: append([]string{"users", c.me.ID}, c.path.Names[1:]...),
			Raw:   append([]string{"users", c.me.ID}, c.path.Raw[1:]...),
		}
	}
	found := false
	for _, r := range routes {
		if !r.fits(c.path.Names) {
			continue
		}
		if r.method == c.method {
			return r.do(c)
		}
		found = true
	}
	if found {
		return nil, &odata.Error{
			Status: http.StatusMethodNotAllowed, Code: "Request_BadRequest", Free: true,
			Message: "Specified HTTP method is not allowed for the request target.",
		}
	}
	if e := behindCollection(c.path.Names); e != nil {
		return nil, e
	}
	return nil, odata.NoSuchPath(c.method, c.path.Raw[len(c.path.Raw)-1])
}

// fits tells whether a path has the segments of the pattern.
func (r route) fits(names []string) bool {
	rest := r.pattern
	for i, name := range names {
		part, after, more := strings.Cut(rest, "/")
		if more != (i < len(names)-1) {
			return false
		}
		if part == "{}" && strings.HasPrefix(name, "$") || part != "{}" && part != name {
			return false
		}
		rest = after
	}
	return true
}
