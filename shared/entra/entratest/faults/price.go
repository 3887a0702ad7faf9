package faults

import (
	"net/http"
	"slices"
	"strconv"
)

// Cost is what a call takes.
type Cost struct {
	Units  float64
	Writes int
	Audit  bool // of the audit log, which has limits of its own
	Photo  bool // of the service that keeps photos, which has others
}

// Price is the cost function of G 5. path has the
// segments below the version in lower case, options the query options.
func Price(method string, path []string, options map[string]string) Cost {
	if method != http.MethodGet {
		return priceOfAction(path, options)
	}
	c := Cost{Units: baseUnits(path), Audit: len(path) > 0 && path[0] == "auditlogs", Photo: isPhoto(path)}
	if options["$select"] != "" {
		c.Units--
	}
	if options["$expand"] != "" {
		c.Units++
	}
	if n, err := strconv.Atoi(options["$top"]); err == nil && n < 20 {
		c.Units--
	}
	c.Units = max(c.Units, 1)
	return c
}

// linksOfAWrite is how many members and owners added in one request count as one write
// (GG 3.2). That it holds for the request that makes a group as well is [K].
const linksOfAWrite = 3

// WithLinks is the cost of a write that adds n members and owners to a group.
func (c Cost) WithLinks(n int) Cost {
	c.Writes = max(c.Writes, (n+linksOfAWrite-1)/linksOfAWrite)
	return c
}

// priceOfAction is that of a write, or of a POST that only asks.
func priceOfAction(path []string, options map[string]string) Cost {
	last := ""
	if len(path) > 0 {
		last = path[len(path)-1]
	}
	switch last {
	case "getbyids":
		if options["$select"] != "" {
			return Cost{Units: 2}
		}
		return Cost{Units: 5}
	case "validateproperties":
		return Cost{Units: 1}
	case "checkmembergroups", "checkmemberobjects", "ismemberof":
		return Cost{Units: 4}
	case "getmembergroups", "getmemberobjects":
		return Cost{Units: 2}
	}
	return Cost{Units: 1, Writes: 1}
}

// isPhoto tells whether a path is one of the photo service's.
func isPhoto(path []string) bool {
	return len(path) > 2 && path[0] == "users" && (path[2] == "photo" || path[2] == "photos")
}

func baseUnits(path []string) float64 {
	has := func(s string) bool { return slices.Contains(path, s) }
	switch {
	case len(path) == 0:
		return 1
	case has("transitivemembers"):
		return 5
	case has("members") && path[0] == "groups", path[0] == "subscribedskus", path[0] == "contracts":
		return 3
	case has("memberof"), has("transitivememberof"), has("licensedetails"), has("ownedobjects"),
		path[0] == "oauth2permissiongrants", path[0] == "applications", path[0] == "users" && len(path) == 1:
		return 2
	}
	return 1
}
