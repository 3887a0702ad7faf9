package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"bindery/shared/directory"
)

// Sessions keeps what the console knows of who is signed in; *store.Sessions does.
type Sessions interface {
	Session(ctx context.Context, name string) (sealed []byte, version int64, err error)
	SaveSession(ctx context.Context, name string, sealed []byte, version int64, expires time.Time) error
	EndSession(ctx context.Context, name string) error
}

// Config says where the console stands and who signs people in to it.
type Config struct {
	// PublicURL is the address of the API and of the console, without a slash at its
	// end: pages are below PublicURL/console.
	PublicURL string
	// APIURL is the address of /v1 where that is another one; "" means PublicURL.
	APIURL string
	// Issuer is the OpenID provider's address, ClientID what the console is to it.
	// ClientSecret is nil for a public client.
	Issuer       string
	ClientID     string
	ClientSecret func(ctx context.Context) (directory.Secret, error)
	// Scopes are asked for besides openid; AuthParams go along, as an audience that an
	// issuer wants to be told.
	Scopes     []string
	AuthParams url.Values
	// Login reaches the issuer, API reaches /v1; nil means the network.
	Login    http.RoundTripper
	API      http.RoundTripper
	Sessions Sessions
	// Environment names the installation in the frame of every page; may be empty.
	Environment string
	// RequestID is the ID of a request, by which the log and the foot of its page name it;
	// nil: there is none.
	RequestID func(ctx context.Context) string
	Now       func() time.Time // nil means time.Now
	Log       *slog.Logger     // nil: silent
}

// Console answers requests below /console.
type Console struct {
	cfg    Config
	secure bool // over https: cookies bear the prefix __Host-
	login  *http.Client
	api    *http.Client
	files  *http.Client // for uploads, which go past /v1
	mux    http.Handler
	marks  marks
	issuer described

	patience patience
}

// patience is for how long a page waits for others, of which a test has more than a browser.
type patience struct{ mark, page, file time.Duration }

// New returns a Console.
func New(cfg Config) (*Console, error) {
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("console: PublicURL must be an address")
	}
	if cfg.Issuer == "" || cfg.ClientID == "" || cfg.Sessions == nil {
		return nil, errors.New("console: needs an issuer, a client and sessions")
	}
	if cfg.APIURL == "" {
		cfg.APIURL = cfg.PublicURL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.RequestID != nil {
		cfg.Log = slog.New(requestLog{cfg.Log.Handler(), cfg.RequestID})
	}
	c := &Console{cfg: cfg, secure: u.Scheme == "https", patience: patience{markWait, pageTime, fileTime},
		login: &http.Client{Transport: cfg.Login, Timeout: pageTime, CheckRedirect: noRedirect},
		api:   &http.Client{Transport: cfg.API, CheckRedirect: noRedirect}, // within the time of its page
		files: &http.Client{Transport: cfg.API, CheckRedirect: noRedirect},
	}
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.method+" "+r.path, c.serve(r))
	}
	mux.HandleFunc("GET /console/assets/{hash}/{name}", serveAsset)
	mux.HandleFunc("/", c.serve(route{do: notFound, open: true}))
	cross := http.NewCrossOriginProtection()
	if err := cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, err
	}
	cross.SetDenyHandler(c.serve(route{do: crossSite, open: true}))
	c.mux = cross.Handler(mux)
	return c, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ServeHTTP answers a request. Whatever the answer is, it carries the headers that
// keep a page from being framed, kept or filled by others.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-read=()")
	h.Set("Cache-Control", "no-store")
	if c.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	c.mux.ServeHTTP(w, r)
}

// policy of content: our own script and style, nothing inline, no frame, and no way
// to make markup of text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// The scopes of admins, as the API names them.
const (
	scopeRead    = "bindery/read"
	scopeWrite   = "bindery/write"
	scopeAdmin   = "bindery/admin"
	scopeApprove = "bindery/approve"
)

// route is one address of the console.
type route struct {
	method string
	path   string
	// scope is what the token must have; without it the page says so, and nothing is
	// called. Empty: none.
	scope string
	// fresh wants a sign-in that is not older than freshFor.
	fresh bool
	// file takes a form with a file.
	file bool
	// full is a page that makes as many calls as a page may, or a file: the frame shows what it
	// knows of what needs somebody, and does not ask for it.
	full bool
	// long is a file that is made of many calls, and has the time of one that is sent.
	long bool
	// once is an act that makes something new: the same form again makes no second one.
	once bool
	// undoes is an act that takes another one back, at the button of what that has told.
	undoes bool
	// onto is an act on one version of something: a form that names none is refused.
	onto bool
	// open needs no session.
	open bool
	do   func(v *visit) (answer, error)
}

// routes are all addresses. A GET changes nothing; a POST is one act, and redirects.
var routes = []route{
	{method: "GET", path: "/console/sign-in", open: true, do: signInPage},
	{method: "GET", path: "/console/login", open: true, do: login},
	{method: "GET", path: "/console/callback", open: true, do: callback},
	{method: "POST", path: "/console/sign-out", open: true, do: signOut},
	{method: "POST", path: "/console/preferences", open: true, do: setPreferences},

	{method: "GET", path: "/console/{$}", scope: scopeRead, full: true, do: homePage},
	{method: "GET", path: "/console", scope: scopeRead, full: true, do: homePage},
	{method: "GET", path: "/console/me", do: mePage},
	{method: "GET", path: "/console/search", scope: scopeRead, full: true, do: searchPage},
	{method: "GET", path: "/console/openapi.json", do: describedFile},

	{method: "GET", path: "/console/connections", scope: scopeRead, do: connectionsPage},
	{method: "GET", path: "/console/connections/new", scope: scopeAdmin, do: newConnectionPage},
	{method: "POST", path: "/console/connections/new", scope: scopeAdmin, once: true, do: newConnection},
	{method: "GET", path: "/console/connections/{id}", scope: scopeRead, full: true, do: connectionPage},
	{method: "POST", path: "/console/connections/{id}/authorize", scope: scopeAdmin, do: authorize},
	{method: "POST", path: "/console/connections/{id}/confirm", scope: scopeApprove, do: confirm},
	{method: "POST", path: "/console/connections/{id}/domains", scope: scopeApprove, do: editDomains},
	{method: "GET", path: "/console/connections/{id}/accounts", scope: scopeRead, do: accountsPage},
	{method: "GET", path: "/console/connections/{id}/import", scope: scopeWrite, do: importPage},
	{method: "POST", path: "/console/connections/{id}/import", scope: scopeWrite, do: importAccounts},
	{method: "GET", path: "/console/connections/{id}/members", scope: scopeRead, do: membersPage},
	{method: "GET", path: "/console/connections/{id}/bind", scope: scopeWrite, do: bindPage},
	{method: "POST", path: "/console/connections/{id}/bind", scope: scopeWrite, do: bind},
	{method: "POST", path: "/console/connections/{id}/members/{user}/pause", scope: scopeWrite, undoes: true, do: bindingAct("pause", "resume", textPausedNow)},
	{method: "POST", path: "/console/connections/{id}/members/{user}/resume", scope: scopeWrite, undoes: true, do: bindingAct("resume", "pause", textResumedNow)},
	{method: "POST", path: "/console/connections/{id}/members/{user}/retry", scope: scopeWrite, do: bindingAct("retry", "", textRetriedNow)},
	{method: "GET", path: "/console/connections/{id}/members/{user}/release", scope: scopeWrite, do: releasePage},
	{method: "POST", path: "/console/connections/{id}/members/{user}/release", scope: scopeWrite, do: release},
	{method: "GET", path: "/console/connections/{id}/problems", scope: scopeRead, full: true, do: problemsPage},
	{method: "GET", path: "/console/connections/{id}/problems/{code}", scope: scopeRead, do: problemPage},
	{method: "POST", path: "/console/connections/{id}/problems/{code}/retry", scope: scopeWrite, do: retryProblem},
	{method: "GET", path: "/console/connections/{id}/health", scope: scopeRead, do: healthPage},
	{method: "POST", path: "/console/connections/{id}/health", scope: scopeWrite, do: checkHealth},
	{method: "GET", path: "/console/connections/{id}/groups", scope: scopeRead, do: usesPage},
	{method: "GET", path: "/console/connections/{id}/groups/{group}", scope: scopeRead, full: true, do: usePage},
	{method: "POST", path: "/console/connections/{id}/groups/{group}", scope: scopeAdmin, do: saveUse},
	{method: "GET", path: "/console/connections/{id}/groups/{group}/end", scope: scopeAdmin, do: endUsePage},
	{method: "POST", path: "/console/connections/{id}/groups/{group}/end", scope: scopeAdmin, do: endUse},
	{method: "GET", path: "/console/connections/{id}/tenant-groups", scope: scopeRead, do: tenantGroupsPage},
	{method: "GET", path: "/console/connections/{id}/proposals/{proposal}", scope: scopeApprove, do: proposalPage},
	{method: "POST", path: "/console/connections/{id}/proposals/{proposal}/approve", scope: scopeApprove, do: approveProposal},
	{method: "POST", path: "/console/connections/{id}/proposals/{proposal}/decline", scope: scopeApprove, do: declineProposal},
	{method: "GET", path: "/console/connections/{id}/licences", scope: scopeRead, do: licencesPage},
	{method: "POST", path: "/console/connections/{id}/licences/count", scope: scopeWrite, do: countLicences},
	{method: "GET", path: "/console/connections/{id}/settings", scope: scopeRead, do: settingsPage},
	{method: "POST", path: "/console/connections/{id}/settings", scope: scopeAdmin, do: saveSettings},
	{method: "POST", path: "/console/runs/{id}/settings", scope: scopeAdmin, do: saveTried},
	{method: "GET", path: "/console/connections/{id}/protection", scope: scopeRead, do: protectionPage},
	{method: "GET", path: "/console/connections/{id}/protection/{account}", scope: scopeApprove, do: liftPage},
	{method: "POST", path: "/console/connections/{id}/protection/{account}", scope: scopeApprove, fresh: true, do: lift},
	{method: "POST", path: "/console/connections/{id}/protection/{account}/end", scope: scopeApprove, do: endLift},
	{method: "GET", path: "/console/connections/{id}/audit", scope: scopeRead, do: auditPage},
	{method: "GET", path: "/console/connections/{id}/audit.csv", scope: scopeRead, full: true, long: true, do: auditFile(asCSV)},
	{method: "GET", path: "/console/connections/{id}/audit.jsonl", scope: scopeRead, full: true, long: true, do: auditFile(asLines)},
	{method: "GET", path: "/console/connections/{id}/end", scope: scopeRead, do: endPage},
	{method: "POST", path: "/console/connections/{id}/end", scope: scopeAdmin, fresh: true, do: end},
	{method: "GET", path: "/console/connections/{id}/remove", scope: scopeAdmin, do: removePage},
	{method: "POST", path: "/console/connections/{id}/remove", scope: scopeAdmin, do: remove},
	{method: "GET", path: "/console/connections/{id}/runs", scope: scopeRead, do: runsPage},
	{method: "POST", path: "/console/connections/{id}/sync", scope: scopeWrite, do: syncNow},

	{method: "GET", path: "/console/runs/{id}", scope: scopeRead, full: true, do: runPage},
	{method: "GET", path: "/console/runs/{id}/approve", scope: scopeApprove, do: approvePage},
	{method: "POST", path: "/console/runs/{id}/approve", scope: scopeApprove, do: approve},
	{method: "GET", path: "/console/runs/{id}/decline", scope: scopeApprove, do: declinePage},
	{method: "POST", path: "/console/runs/{id}/decline", scope: scopeApprove, do: decline},
	{method: "POST", path: "/console/runs/{id}/cancel", scope: scopeWrite, do: cancelRun},
	{method: "GET", path: "/console/runs/{id}/undo", scope: scopeWrite, full: true, do: undoPage},
	{method: "POST", path: "/console/runs/{id}/undo", scope: scopeWrite, do: undo},
	{method: "GET", path: "/console/runs/{id}/changes.csv", scope: scopeRead, full: true, long: true, do: changesCSV},

	{method: "GET", path: "/console/users", scope: scopeRead, do: usersPage},
	{method: "GET", path: "/console/users.csv", scope: scopeRead, full: true, long: true, do: usersFile(asCSV)},
	{method: "GET", path: "/console/users.jsonl", scope: scopeRead, full: true, long: true, do: usersFile(asLines)},
	{method: "GET", path: "/console/users/load", scope: scopeWrite, do: loadPage},
	{method: "POST", path: "/console/users/load", scope: scopeWrite, file: true, do: load},
	{method: "GET", path: "/console/users/many", scope: scopeWrite, do: manyPage},
	{method: "POST", path: "/console/users/many", scope: scopeWrite, do: doMany},
	{method: "GET", path: "/console/users/new", scope: scopeWrite, do: newUserPage},
	{method: "POST", path: "/console/users/new", scope: scopeWrite, once: true, do: newUser},
	{method: "GET", path: "/console/users/{id}", scope: scopeRead, full: true, do: userPage},
	{method: "GET", path: "/console/users/{id}/photo", scope: scopeRead, full: true, do: photo},
	{method: "GET", path: "/console/users/{id}/explain", scope: scopeRead, do: explainPage},
	{method: "GET", path: "/console/users/{id}/edit", scope: scopeWrite, do: editUserPage},
	{method: "POST", path: "/console/users/{id}/edit", scope: scopeWrite, undoes: true, do: editUser},
	{method: "POST", path: "/console/users/{id}/suspend", onto: true, scope: scopeWrite, undoes: true, do: setState("suspend", "activate", textSuspendedNow)},
	{method: "POST", path: "/console/users/{id}/activate", onto: true, scope: scopeWrite, undoes: true, do: setState("activate", "suspend", textActivatedNow)},
	{method: "GET", path: "/console/users/{id}/password", scope: scopeApprove, do: passwordPage},
	{method: "POST", path: "/console/users/{id}/password", scope: scopeApprove, fresh: true, do: showPassword},
	{method: "GET", path: "/console/users/{id}/move", scope: scopeWrite, do: movePage},
	{method: "POST", path: "/console/users/{id}/move", scope: scopeWrite, do: move},
	{method: "GET", path: "/console/users/{id}/delete", scope: scopeWrite, do: deleteUserPage},
	{method: "POST", path: "/console/users/{id}/delete", onto: true, scope: scopeWrite, do: deleteUser},
	{method: "POST", path: "/console/users/{id}/restore", onto: true, scope: scopeWrite, do: setState("restore", "", textRestoredNow)},

	{method: "GET", path: "/console/groups", scope: scopeRead, do: groupsPage},
	{method: "GET", path: "/console/groups/new", scope: scopeWrite, do: newGroupPage},
	{method: "POST", path: "/console/groups/new", scope: scopeWrite, once: true, do: newGroup},
	{method: "GET", path: "/console/groups/{id}", scope: scopeRead, full: true, do: groupPage},
	{method: "GET", path: "/console/groups/{id}/edit", scope: scopeWrite, do: editGroupPage},
	{method: "POST", path: "/console/groups/{id}/edit", onto: true, scope: scopeWrite, undoes: true, do: editGroup},
	{method: "POST", path: "/console/groups/{id}/add", scope: scopeWrite, do: editMembers(http.MethodPost, countMembersAdded)},
	{method: "POST", path: "/console/groups/{id}/remove", onto: true, scope: scopeWrite, do: editMembers(http.MethodDelete, countMembersRemoved)},
	{method: "GET", path: "/console/groups/{id}/delete", scope: scopeWrite, do: deleteGroupPage},
	{method: "POST", path: "/console/groups/{id}/delete", onto: true, scope: scopeWrite, do: groupAct(http.MethodDelete, "", textGroupDeletedNow)},
	{method: "POST", path: "/console/groups/{id}/restore", onto: true, scope: scopeWrite, do: groupAct(http.MethodPost, "restore", textRestoredNow)},

	{method: "GET", path: "/console/jobs", scope: scopeRead, do: jobsPage},
	{method: "GET", path: "/console/jobs/{id}", scope: scopeRead, do: jobPage},
	{method: "GET", path: "/console/jobs/{id}/refused.csv", scope: scopeRead, full: true, do: refusedCSV},

	{method: "GET", path: "/console/sources", scope: scopeRead, full: true, do: sourcesPage},
	{method: "GET", path: "/console/sources/new", scope: scopeAdmin, do: newSourcePage},
	{method: "POST", path: "/console/sources/new", scope: scopeAdmin, once: true, do: newSource},
	{method: "GET", path: "/console/sources/{id}", scope: scopeRead, full: true, do: sourcePage},
	{method: "GET", path: "/console/sources/{id}/requests", scope: scopeRead, do: requestsPage},
	{method: "GET", path: "/console/sources/{id}/setup", scope: scopeRead, do: setUpPage},
	{method: "GET", path: "/console/sources/{id}/check", scope: scopeRead, do: checkPage},
	{method: "GET", path: "/console/sources/{id}/settings", scope: scopeRead, do: sourceSettingsPage},
	{method: "POST", path: "/console/sources/{id}/settings", scope: scopeAdmin, do: saveSource},
	{method: "POST", path: "/console/sources/{id}/pause", scope: scopeAdmin, undoes: true, do: pauseSource(true, textSourcePausedNow)},
	{method: "POST", path: "/console/sources/{id}/resume", onto: true, scope: scopeAdmin, undoes: true, do: pauseSource(false, textSourceResumedNow)},
	{method: "GET", path: "/console/sources/{id}/token", scope: scopeAdmin, do: tokenPage},
	{method: "POST", path: "/console/sources/{id}/token", scope: scopeAdmin, fresh: true, do: issueToken},
	{method: "GET", path: "/console/sources/{id}/tokens/{token}/revoke", scope: scopeAdmin, do: revokePage},
	{method: "POST", path: "/console/sources/{id}/tokens/{token}/revoke", scope: scopeAdmin, fresh: true, do: revokeToken},
	{method: "GET", path: "/console/sources/{id}/take-back", scope: scopeRead, do: takeBackPage},
	{method: "POST", path: "/console/sources/{id}/take-back", scope: scopeAdmin, do: countTakeBackNow},
	{method: "POST", path: "/console/sources/{id}/take-back/now", scope: scopeAdmin, fresh: true, do: takeBack},
	{method: "GET", path: "/console/sources/{id}/delete", scope: scopeRead, do: deleteSourcePage},
	{method: "POST", path: "/console/sources/{id}/delete", onto: true, scope: scopeAdmin, fresh: true, do: deleteSource},

	{method: "GET", path: "/console/activity", scope: scopeRead, full: true, do: activityPage},
	{method: "GET", path: "/console/activity.csv", scope: scopeRead, full: true, long: true, do: activityFile(asCSV)},
	{method: "GET", path: "/console/activity.jsonl", scope: scopeRead, full: true, long: true, do: activityFile(asLines)},
	{method: "POST", path: "/console/activity/verify", scope: scopeWrite, do: verify},
}

// local reports whether an address is a path of this console: what a link, and a
// redirect after signing in, may lead to.
func local(address string) bool {
	if strings.ContainsAny(address, "\\\r\n\t") {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil &&
		(u.Path == "/console" || strings.HasPrefix(u.Path, "/console/")) && !strings.Contains(u.Path, "//") && !slices.ContainsFunc(strings.Split(u.EscapedPath(), "/"), dots)
}

// dots reports whether a segment of a path leads upwards, as a browser takes it.
func dots(segment string) bool {
	plain, err := url.PathUnescape(segment)
	return err != nil || plain == ".." || plain == "."
}

// Route is an address of the console, as documents and gateways name it.
type Route struct {
	Method, Path string
	Scope        string // what the token must have
}

// Routes are all addresses of the console.
func Routes() []Route {
	list := make([]Route, len(routes))
	for i, r := range routes {
		list[i] = Route{r.method, r.path, r.scope}
	}
	return list
}
