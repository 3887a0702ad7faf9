package contract

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// missing lists the paths of Graph that are used here and that the description
// lacks; {} stands for one segment, and a method in front has only that one lacking. A
// message to a path that is neither here nor described is reported.
var missing = compile(
	"/directoryRoleTemplates",
	"/groups/{}/members/{}/$count",
	"/groups/{}/owners/microsoft.graph.servicePrincipal",
	"GET /groups/{}/members/{}/$ref",
	"GET /groups/{}/owners/{}/$ref",
	"GET /groups/{}/members/$ref", // described as a list of texts, which it never was
	"GET /groups/{}/owners/$ref",  // its only member is an annotation, and these are not checked
)

func compile(templates ...string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, 0, len(templates))
	for _, t := range templates {
		if strings.HasPrefix(t, "/") {
			t = "{} " + t
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(t), `\{\}`, `[^/ ]+`)
		out = append(out, regexp.MustCompile(`(?i)^`+pattern+`$`))
	}
	return out
}

// undescribed tells whether path is one that the description is known to lack, with the
// method of a message.
func undescribed(method, path string) bool {
	for _, re := range missing {
		if re.MatchString(method + " " + path) {
			return true
		}
	}
	return false
}

var (
	versionRE = regexp.MustCompile(`^/(?:v1\.0|beta)(/.*)$`)
	tenantRE  = regexp.MustCompile(`(?i)^/(?:myorganization|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(/.*)$`)
	keyRE     = regexp.MustCompile(`\('([^'/]*)'\)|\(([A-Za-z]+)='([^'/]*)'\)`)
	actionRE  = regexp.MustCompile(`(?i)/(?:microsoft\.graph\.)?(assignLicense|revokeSignInSessions|checkMemberGroups|getMemberGroups|reprocessLicenseAssignment|renew|validateProperties|resetPassword|reauthorize|retryServiceProvisioning|getAvailableExtensionProperties|getByIds)(?:\(\))?$`)
	deltaRE   = regexp.MustCompile(`(?i)^/(users|groups)/(?:microsoft\.graph\.)?delta(?:\(\))?$`)
	restoreRE = regexp.MustCompile(`(?i)^/directory/deletedItems/([^/]+)/(?:microsoft\.graph\.)?restore$`)
	deletedRE = regexp.MustCompile(`(?i)^/directory/deletedItems/(?:microsoft\.)?graph\.(user|group)$`)
	castRE    = regexp.MustCompile(`/graph\.(user|group|directoryRole|servicePrincipal)\b`)
)

// fixed spells the literal segments as the description does: Graph does not mind
// their case.
var fixed = func() map[string]string {
	m := map[string]string{}
	for _, s := range strings.Fields(`users groups me domains organization subscribedSkus directory deletedItems
		directoryObjects auditLogs directoryAudits oauth2PermissionGrants members memberOf manager photo
		licenseDetails federationConfiguration serviceConfigurationRecords verificationDnsRecords $ref $value
		owners transitiveMembers transitiveMemberOf membersWithLicenseErrors directReports authentication methods passwordMethods
		temporaryAccessPassMethods operations administrativeUnits servicePrincipals appRoleAssignments subscriptions photos $count
		groupSettings groupLifecyclePolicies directoryRoles roleManagement roleAssignments roleDefinitions`) {
		m[strings.ToLower(s)] = s
	}
	return m
}()

// relative cuts the version and a tenant from the path of a request to Graph; ok
// is false for a request to anything else.
func relative(path string) (rel string, ok bool) {
	m := versionRE.FindStringSubmatch(path)
	if m == nil {
		return "", false
	}
	rel = m[1]
	if m = tenantRE.FindStringSubmatch(rel); m != nil {
		rel = m[1]
	}
	return "/" + strings.Trim(rel, "/"), true
}

// normalise brings a path to the one spelling that the description has.
func normalise(path string) string {
	if u, err := url.PathUnescape(path); err == nil && !strings.Contains(strings.ToLower(path), "%2f") {
		path = u
	}
	path = keyRE.ReplaceAllStringFunc(path, func(s string) string {
		m := keyRE.FindStringSubmatch(s)
		if strings.EqualFold(m[2], "uniqueName") {
			return s // what an upsert may answer is described of this key only
		}
		return "/" + url.PathEscape(m[1]+m[3])
	})
	path = castRE.ReplaceAllString(path, "/microsoft.graph.$1")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if f, ok := fixed[strings.ToLower(s)]; ok {
			segments[i] = f
		}
	}
	path = strings.Join(segments, "/")
	if path == "/me" || strings.HasPrefix(path, "/me/") {
		path = "/users" + path
	}
	if m := deltaRE.FindStringSubmatch(path); m != nil {
		return "/" + strings.ToLower(m[1]) + "/microsoft.graph.delta()"
	}
	if m := restoreRE.FindStringSubmatch(path); m != nil {
		return "/directoryObjects/" + m[1] + "/microsoft.graph.restore"
	}
	// Deleted users are users: the description knows them only as untyped objects.
	if m := deletedRE.FindStringSubmatch(path); m != nil && strings.EqualFold(m[1], "user") {
		return "/users"
	}
	return actionRE.ReplaceAllString(path, "/microsoft.graph.$1")
}

// request builds the request that the router and the validator see.
func (m message) request(path string) *http.Request {
	u := &url.URL{Scheme: "https", Host: "graph.microsoft.com", Path: path, RawQuery: query(m.url.Query()).Encode()}
	u.RawPath = path // the router compares encoded paths, and by itself Go would encode delta's brackets
	r := &http.Request{Method: strings.ToUpper(m.method), URL: u, Host: u.Host, Header: plain(m.header)}
	body := strip(m.body)
	if len(body) == 0 {
		r.Body = http.NoBody
		return r
	}
	r.Body = readCloser{bytes.NewReader(body)}
	r.ContentLength = int64(len(body))
	r.GetBody = nil
	return r
}

// query spells the OData parameters as the description does and takes out what
// an enumeration of names cannot express: extensions, nested options, blanks.
func query(in url.Values) url.Values {
	out := url.Values{}
	for k, values := range in {
		k = strings.ToLower(k)
		for _, v := range values {
			switch k {
			case "$select":
				v = names(v, func(n string) bool { return !strings.HasPrefix(n, "extension_") })
			case "$expand":
				if i := strings.IndexByte(v, '('); i >= 0 {
					v = v[:i]
				}
			case "$orderby":
				v = strings.TrimSuffix(names(v, nil), " asc")
			}
			if v != "" {
				out.Add(k, v)
			}
		}
	}
	return out
}

func names(list string, keep func(string) bool) string {
	var out []string
	for n := range strings.SplitSeq(list, ",") {
		n, _, _ = strings.Cut(strings.TrimSpace(n), "/")
		if n != "" && (keep == nil || keep(n)) {
			out = append(out, n)
		}
	}
	return strings.Join(out, ",")
}

// plain copies a header without the parameters of its JSON content type, which
// the validator would look up in the description literally.
func plain(h http.Header) http.Header {
	h = h.Clone()
	if h == nil {
		h = http.Header{}
	}
	if isJSON(h) {
		h.Set("Content-Type", "application/json")
	}
	return h
}

func isJSON(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/json")
}

// strip removes the members that the description cannot know: directory
// extensions and OData's annotations. A body that is no JSON stays as it is.
func strip(body []byte) []byte {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return body
	}
	clean(v)
	out, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return out
}

func clean(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			clean(e)
		}
	case map[string]any:
		for k, e := range v {
			if strings.HasPrefix(k, "extension_") || strings.Contains(k, "@odata.") {
				delete(v, k)
				continue
			}
			clean(e)
		}
	}
}
