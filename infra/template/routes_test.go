package template

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"bindery/shared/api/admin"
	"bindery/shared/api/scim"
)

// Every operation of the API reaches its function through a route of API
// Gateway, and no route's method is without an operation.
func TestRoutes(t *testing.T) {
	t.Parallel()
	api, err := admin.New(admin.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	api.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil))
	var spec struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &spec); err != nil || len(spec.Paths) == 0 {
		t.Fatalf("GET /v1/openapi.json = %d, %v", w.Code, err)
	}
	routes := map[string]string{} // key -> function's resource
	for resource, keys := range triggers(read(t)) {
		for _, key := range keys {
			if strings.Contains(key, " /") {
				routes[key] = resource
			}
		}
	}
	// Pages: those of an authorisation, and the console's, which has a table of its own; and SCIM, which has another form.
	used := map[string]bool{"GET /oauth/start": true, "GET /oauth/callback": true, "GET /console": true, "GET /console/login": true, "GET /console/{proxy+}": true, "POST /console/{proxy+}": true, "ANY /scim/{client}/v2/{proxy+}": true, "ANY /scim/{client}/oauth/v2/{proxy+}": true}
	for path, operations := range spec.Paths {
		for method := range operations {
			key := strings.ToUpper(method) + " " + path
			if _, exact := routes[key]; !exact {
				key = strings.ToUpper(method) + " /v1/{proxy+}"
			}
			used[key] = true
			want := "AdminFunction"
			if strings.HasSuffix(path, "/deactivate") {
				want = "DeactivateFunction"
			}
			if got := routes[key]; got != want || !strings.HasPrefix(path, "/v1/") {
				t.Errorf("%s %s goes to %q by route %q, want %s", strings.ToUpper(method), path, got, key, want)
			}
		}
	}
	for key := range routes {
		if !used[key] {
			t.Errorf("route %s: no operation of the API uses it", key)
		}
	}
}

// pushing are the routes of identity providers. Their limit is above what five clients
// may send by the function's own, which says when to come again; it is of these routes
// alone, and what gets through takes no more invocations than are scim's own.
var pushing = []string{"ANY /scim/{client}/v2/{proxy+}", "ANY /scim/{client}/oauth/v2/{proxy+}"}

// TestLimitsOfScim: the gateway refuses no client that its own limit lets through and that
// the invocations of scim could answer, be it a burst, since they answer no more a second than
// its rate. It leaves most of the account's 10,000 requests a second and 5,000 at once
// to the others. One client, in the mean, takes at most half of the invocations.
func TestLimitsOfScim(t *testing.T) {
	t.Parallel()
	const (
		invocations    = 20
		fastest, usual = 0.020, 0.050 // seconds of a request: four calls of the table one behind the other; a write
	)
	tmpl := read(t)
	for _, key := range pushing {
		limit := At(tmpl.Resources, "Stage", "Properties", "RouteSettings", key)
		rate, _ := At(limit, "ThrottlingRateLimit").(int)
		burst, _ := At(limit, "ThrottlingBurstLimit").(int)
		if rate < 5*scim.PerSecond || rate < int(invocations/fastest) || rate > 2000 || burst < rate || burst > 2500 {
			t.Errorf("%s: %d a second, %d at once", key, rate, burst)
		}
	}
	if d := At(tmpl.Parameters, "ScimReservedConcurrency", "Default"); d != invocations {
		t.Errorf("scim takes %v invocations at most by default", d)
	}
	if taken := scim.PerSecond * usual; taken > invocations/2 {
		t.Errorf("a client at its limit takes %v of %d invocations", taken, invocations)
	}
}

// A route that anybody may call has limits of its own, below those of the
// others, so that a flood there takes nothing from the admins.
func TestLimitsOfOpenRoutes(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	stage := tmpl.Of("AWS::ApiGatewayV2::Stage")["Stage"]
	limits, _ := stage["RouteSettings"].(map[string]any)
	for name, r := range tmpl.Of("AWS::ApiGatewayV2::Route") {
		key := r["RouteKey"].(string)
		limit, limited := limits[key]
		if only, is := At(limit, "Fn::If").([]any); is { // of a route that an option makes
			if limit = only[1]; only[0] != At(tmpl.Resources, name, "Condition") {
				t.Errorf("%s: its limit is there by %v, the route by %v", key, only[0], At(tmpl.Resources, name, "Condition"))
			}
		}
		if r["AuthorizationType"] != "NONE" && !slices.Contains(pushing, key) {
			continue
		}
		for _, what := range []string{"ThrottlingBurstLimit", "ThrottlingRateLimit"} {
			own, _ := At(limit, what).(int)
			others, _ := At(stage, "DefaultRouteSettings", what).(int)
			if !limited || own <= 0 || own >= others && !slices.Contains(pushing, key) {
				t.Errorf("%s: %s = %d, want less than the %d of the others", key, what, own, others)
			}
		}
		first := slices.Contains(list(At(tmpl.Resources, "Stage", "DependsOn")), any(name))
		for _, v := range list(At(stage, "StageVariables", "consoleRoutes", "Fn::If", 1, "Fn::Join", 1)) { // depends on what it names
			first = first || At(v, "Ref") == name
		}
		if !first {
			t.Errorf("Stage does not depend on %s: API Gateway refuses a limit of a route that is not there yet", name)
		}
	}
	for key := range limits {
		if !slices.ContainsFunc(slices.Collect(maps.Values(tmpl.Of("AWS::ApiGatewayV2::Route"))), func(r map[string]any) bool { return r["RouteKey"] == key }) {
			t.Errorf("Stage limits %s, and there is no such route", key)
		}
	}
}

// Reserved invocations are a matter of the account: none by default, but for scim, which
// strangers reach without a token. What a
// queue may take of a function leaves room for those who call it.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	tmpl := read(t)
	for name, p := range tmpl.Of("AWS::Serverless::Function") {
		parameter, _ := At(p, "ReservedConcurrentExecutions", "Fn::If", 1, "Ref").(string)
		sources, _ := p["Events"].(map[string]any)
		for _, s := range sources {
			if At(s, "Type") == "SQS" && At(s, "Properties", "ScalingConfig", "MaximumConcurrency") == nil {
				t.Errorf("%s: its queue may take every invocation of the account", name)
			}
		}
		if parameter == "" {
			continue
		}
		if d := At(tmpl.Parameters, parameter, "Default"); d != 0 && d != "0" && parameter != "ScimReservedConcurrency" || At(p, "ReservedConcurrentExecutions", "Fn::If", 2, "Ref") != "AWS::NoValue" {
			t.Errorf("%s: reserves %v by default", name, d)
		}
		if most, ok := At(p, "Events", "Sweep", "Properties", "ScalingConfig", "MaximumConcurrency").(int); ok {
			allowed := regexp.MustCompile("^(" + At(tmpl.Parameters, parameter, "AllowedPattern").(string) + ")$")
			if allowed.MatchString(strconv.Itoa(most)) || !allowed.MatchString("0") || !allowed.MatchString(strconv.Itoa(2*most)) {
				t.Errorf("%s: %s may leave no room beside the %d sweeps", name, parameter, most)
			}
		}
	}
}
