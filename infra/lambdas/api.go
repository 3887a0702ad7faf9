package lambdas

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"bindery/infra/lambdas/gateway"
	"bindery/infra/lambdas/iam"
	"bindery/infra/lambdas/mapping"
	"bindery/infra/lambdas/runtime"
)

// signIns are the functions that redeem codes, each of which is good for once: what
// they do is not asked for again.
var signIns = []string{"console", "oauth-callback"}

// openGateway makes the HTTP API.
func (w *World) openGateway() error {
	g := &gateway.Gateway{Verify: w.cfg.Verify, Domain: strings.TrimPrefix(w.URL(), "https://"), Invoke: func(folder string, payload []byte, trace string) ([]byte, error) {
		trace, _ = mapping.Lineage(trace, folder)
		// Only what asks and changes nothing is asked again by a caller.
		var e struct {
			RequestContext struct{ HTTP struct{ Method string } }
		}
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, err
		}
		event := runtime.Event{Payload: payload, Trace: trace, MayDie: e.RequestContext.HTTP.Method == http.MethodGet && !slices.Contains(signIns, folder)}
		answer, err := w.invoke(folder, event)
		for killed(err) { // the caller saw 500, and asks again
			answer, err = w.invoke(folder, event)
		}
		return answer, err
	}}
	routes, err := w.stack.Made("AWS::ApiGatewayV2::Route")
	if err != nil {
		return err
	}
	integrations, err := w.stack.Made("AWS::ApiGatewayV2::Integration")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(routes)) {
		r := routes[name]
		_, target, _ := strings.Cut(fmt.Sprint(r["Target"]), "/")
		var integration map[string]any
		for resource, p := range integrations {
			if w.stack.name(resource) == target {
				integration = p
			}
		}
		folder := w.folder(fmt.Sprint(integration["IntegrationUri"]))
		key := fmt.Sprint(r["RouteKey"])
		if integration["PayloadFormatVersion"] != "2.0" || integration["IntegrationType"] != "AWS_PROXY" || folder == "" {
			return fmt.Errorf("%s: the integration %v is none of a function, payload format 2.0", name, integration)
		}
		if err := w.permitted(folder, key); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		route := gateway.Route{Key: key, Function: folder, Authorized: r["AuthorizationType"] == "JWT"}
		scopes, _ := r["AuthorizationScopes"].([]any)
		for _, s := range scopes {
			route.Scopes = append(route.Scopes, fmt.Sprint(s))
		}
		g.Routes = append(g.Routes, route)
	}
	log, err := w.openAccessLog()
	if err != nil {
		return err
	}
	w.Handler = w.Secrets.Watch(w.counted(g, log))
	return nil
}

// folder is the function of an ARN.
func (w *World) folder(arn string) string {
	for folder, f := range w.functions {
		if own, _ := w.stack.physical(f.resource, "Arn"); own == arn {
			return folder
		}
	}
	return ""
}

// permitted checks that the function lets the API call it on a route.
func (w *World) permitted(folder, route string) error {
	permissions, err := w.stack.Made("AWS::Lambda::Permission")
	if err != nil {
		return err
	}
	var statements []any
	for _, p := range permissions {
		if p["Principal"] == "apigateway.amazonaws.com" && fmt.Sprint(p["FunctionName"]) == w.stack.name(w.functions[folder].resource) {
			statements = append(statements, map[string]any{"Effect": "Allow", "Action": p["Action"], "Resource": p["SourceArn"]})
		}
	}
	policy, err := iam.NewRole(statements)
	if err != nil {
		return err
	}
	method, path, _ := strings.Cut(route, " ")
	source := "arn:aws:execute-api:" + Region + ":" + Account + ":" + w.stack.apiID + "/$default/" + method + path
	if err := policy.Allow(iam.Request{Action: "lambda:InvokeFunction", Resource: source}); err != nil {
		return fmt.Errorf("the API may not call %s: %w", folder, err)
	}
	return nil
}

// counted counts what the API answered, as CloudWatch does, and what the filters of its
// log find there.
func (w *World) counted(g *gateway.Gateway, log *accessLog) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: rw}
		g.ServeHTTP(seen, r)
		log.write(w, g.RouteKey(r), seen.status)
		if seen.status >= 500 {
			w.sample("AWS/ApiGateway", "5xx", w.stack.apiID, 1)
			paused := strings.HasPrefix(r.URL.Path, "/scim/") && rw.Header().Get("Retry-After") != "" // an identity provider is told to come again
			if !paused {
				w.fault("the API answered %d to %s %s", seen.status, r.Method, r.URL.Path)
			}
		}
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}
