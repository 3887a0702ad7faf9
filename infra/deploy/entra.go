package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What every authorisation asks for that no setting changes; what settings and rules add is
// given by -with.
var permissions = []string{"openid", "profile", "offline_access", "User.ReadWrite.All", "Organization.Read.All", "Domain.Read.All", "RoleManagement.Read.Directory", "GroupMember.Read.All"}

// graphApp is Microsoft Graph itself, in every tenant.
const graphApp = "00000003-0000-0000-c000-000000000000"

// secretTitle marks the client secrets that this command made.
const secretTitle = "bindery"

// renewBefore is how long before its end a client secret is made anew.
const renewBefore = 30 * 24 * time.Hour

// application is what this command reads and writes of an app registration.
type application struct {
	ID             string       `json:"id,omitempty"`
	AppID          string       `json:"appId,omitempty"`
	DisplayName    string       `json:"displayName"`
	SignInAudience string       `json:"signInAudience"`
	Web            web          `json:"web"`
	Access         []access     `json:"requiredResourceAccess"`
	Passwords      []credential `json:"passwordCredentials,omitempty"`
}

type web struct {
	RedirectURIs []string `json:"redirectUris"`
}

type access struct {
	App   string       `json:"resourceAppId"`
	Wants []permission `json:"resourceAccess"`
}

type permission struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

type credential struct {
	KeyID  string    `json:"keyId,omitempty"`
	Title  string    `json:"displayName"`
	Ends   time.Time `json:"endDateTime"`
	Secret string    `json:"secretText,omitempty"`
}

// registration is one call of the command.
type registration struct {
	*tool
	graph      *graph
	name       string // the app's uniqueName, which makes it the same app each time
	secretName string
	redirect   string
	with       []string
	life       time.Duration
	dryRun     bool
	rotate     bool
	removeOld  bool
}

// entraApp registers the app, or brings its registration up to date. Run again it
// changes nothing that is right.
func (t *tool) entraApp(ctx context.Context, args []string) error {
	r := registration{tool: t}
	flags := flag.NewFlagSet("entra-app", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&r.name, "name", "bindery-"+t.stackName(), "the app's unique name in the tenant")
	flags.StringVar(&r.secretName, "secret-name", t.secretName(), "name of the client secret in Secrets Manager")
	flags.StringVar(&r.redirect, "redirect", "", "redirect URI; without it, the stack's, when there is a stack")
	days := flags.Int("days", 365, "how long a new client secret is good")
	with := flags.String("with", "", "more delegated permissions, with commas: AuditLog.Read.All for auditLog, Group.ReadWrite.All for groups, LicenseAssignment.ReadWrite.All for licences")
	flags.BoolVar(&r.dryRun, "dry-run", false, "say what would be done")
	flags.BoolVar(&r.rotate, "rotate", false, "make a new client secret")
	flags.BoolVar(&r.removeOld, "remove-old", false, "remove client secrets of ours that are not in Secrets Manager")
	if err := flags.Parse(args); err != nil {
		var usage strings.Builder
		flags.SetOutput(&usage)
		flags.PrintDefaults()
		return fmt.Errorf("entra-app: %w; it takes:\n%s", err, usage.String())
	}
	r.life = time.Duration(*days) * 24 * time.Hour
	if *with != "" {
		r.with = strings.Split(*with, ",")
	}
	return r.run(ctx)
}

func (r *registration) run(ctx context.Context) error {
	if r.redirect == "" {
		is, err := r.describe(ctx)
		if err != nil {
			return err
		}
		r.redirect = is.outputs["RedirectUri"]
	}
	if u, err := url.Parse(r.redirect); r.redirect != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "/oauth/callback" || u.RawQuery != "") {
		return fmt.Errorf("the redirect URI %q is not https://…/oauth/callback", r.redirect)
	}
	var err error
	if r.graph, err = r.openGraph(ctx); err != nil {
		return err
	}
	wanted, err := r.permissionIDs(ctx)
	if err != nil {
		return err
	}
	app, err := r.register(ctx, wanted)
	if err != nil {
		return err
	}
	if err := r.secret(ctx, app); err != nil {
		return err
	}
	if app.AppID == "" || r.dryRun {
		return nil
	}
	if err := r.remember(app.AppID); err != nil {
		return err
	}
	r.say("The client ID %s is in .local/%s, where make deploy finds it.", app.AppID, r.ofStack("parameters"))
	if r.redirect == "" {
		r.say("There is no stack %s yet: after make deploy run this again, for the redirect URI.", r.stackName())
	}
	return nil
}

// permissionIDs finds the numbers that Graph gives its delegated permissions.
func (r *registration) permissionIDs(ctx context.Context) ([]permission, error) {
	var microsoft struct {
		Scopes []struct {
			ID        string `json:"id"`
			Value     string `json:"value"`
			IsEnabled bool   `json:"isEnabled"`
		} `json:"oauth2PermissionScopes"`
	}
	if err := r.graph.call(ctx, http.MethodGet, "/servicePrincipals(appId='"+graphApp+"')?$select=oauth2PermissionScopes", nil, nil, &microsoft); err != nil {
		return nil, fmt.Errorf("the permissions of Microsoft Graph: %w", err)
	}
	var ids []permission
	for _, name := range slices.Concat(permissions, r.with) {
		i := slices.IndexFunc(microsoft.Scopes, func(s struct {
			ID        string `json:"id"`
			Value     string `json:"value"`
			IsEnabled bool   `json:"isEnabled"`
		}) bool {
			return s.Value == name && s.IsEnabled
		})
		if i < 0 {
			return nil, fmt.Errorf("no delegated permission %q is known to Microsoft Graph", name)
		}
		ids = append(ids, permission{microsoft.Scopes[i].ID, "Scope"})
	}
	return ids, nil
}

func (r *registration) path() string { return "/applications(uniqueName='" + r.name + "')" }

// register makes the app or adds what it lacks. What others added stays.
func (r *registration) register(ctx context.Context, wanted []permission) (application, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9-]{1,120}$`).MatchString(r.name) {
		return application{}, fmt.Errorf("the unique name %q must be of letters, digits and hyphens", r.name)
	}
	var has application
	err := r.graph.call(ctx, http.MethodGet, r.path()+"?$select=id,appId,displayName,signInAudience,web,requiredResourceAccess,passwordCredentials", nil, nil, &has)
	if err != nil && !isGone(err) {
		return has, fmt.Errorf("the app %s: %w", r.name, err)
	}
	isNew := err != nil
	next, changes := r.next(has, wanted, isNew)
	for _, c := range changes {
		r.say("%s: %s", r.name, c)
	}
	if len(changes) == 0 {
		r.say("%s: the registration is as it should be", r.name)
	}
	if r.dryRun || len(changes) == 0 {
		return has, nil
	}
	// One request, whether the app is there or not: run twice at once it makes one.
	made := has
	err = r.graph.call(ctx, http.MethodPatch, r.path(), http.Header{"Prefer": {"create-if-missing"}}, next, &made)
	if err != nil {
		return has, fmt.Errorf("the app %s: %w", r.name, err)
	}
	if made.ID == "" {
		return made, fmt.Errorf("the app %s was made and its ID not told: run this again", r.name)
	}
	return made, nil
}

// next is what the registration should be, and what that changes, in words.
func (r *registration) next(has application, wanted []permission, isNew bool) (application, []string) {
	next := application{DisplayName: or(has.DisplayName, "Bindery"), SignInAudience: "AzureADMultipleOrgs", Web: web{slices.Clone(has.Web.RedirectURIs)}, Access: slices.Clone(has.Access)}
	var changes []string
	if isNew {
		changes = append(changes, "make the app, for accounts of any organisation")
	} else if has.SignInAudience != next.SignInAudience {
		changes = append(changes, "let accounts of any organisation sign in")
	}
	if next.Web.RedirectURIs == nil {
		next.Web.RedirectURIs = []string{}
	}
	if r.redirect != "" && !slices.Contains(next.Web.RedirectURIs, r.redirect) {
		next.Web.RedirectURIs = append(next.Web.RedirectURIs, r.redirect)
		changes = append(changes, "add the redirect URI "+r.redirect+" (Web)")
	}
	i := slices.IndexFunc(next.Access, func(a access) bool { return a.App == graphApp })
	if i < 0 {
		i = len(next.Access)
		next.Access = append(next.Access, access{App: graphApp})
	}
	missing := slices.DeleteFunc(slices.Clone(wanted), func(p permission) bool { return slices.Contains(next.Access[i].Wants, p) })
	if len(missing) > 0 {
		next.Access[i].Wants = append(slices.Clone(next.Access[i].Wants), missing...)
		changes = append(changes, fmt.Sprintf("ask for %d delegated permissions of Microsoft Graph", len(missing)))
	}
	return next, changes
}

// keyIn finds which credential of the app a secret's description names.
var keyIn = regexp.MustCompile(`key ([0-9a-fA-F-]{36})`)

// appIn finds which app it is of.
var appIn = regexp.MustCompile(`Entra app ([0-9a-fA-F-]{36}),`)

// secret puts a client secret into Secrets Manager unless a good one is there.
func (r *registration) secret(ctx context.Context, app application) error {
	var stored struct{ ARN, Description string }
	err := r.aws(ctx, nil, &stored, "secretsmanager", "describe-secret", "--secret-id", r.secretName)
	if err != nil && !said(err, "ResourceNotFoundException") {
		return fmt.Errorf("the secret %s: %w", r.secretName, err)
	}
	key := ""
	if m := keyIn.FindStringSubmatch(stored.Description); m != nil {
		key = m[1]
	}
	if m := appIn.FindStringSubmatch(stored.Description); m != nil && m[1] != app.AppID && !r.rotate {
		return fmt.Errorf("%s holds the client secret of another app, %s, and is left as it is: give this app a secret of its own by -secret-name, or replace that one by -rotate", r.secretName, m[1])
	}
	i := slices.IndexFunc(app.Passwords, func(c credential) bool { return key != "" && c.KeyID == key })
	why := ""
	switch {
	case r.rotate:
		why = "a new one is asked for"
	case stored.ARN == "":
		why = "there is none"
	case key == "":
		r.say("%s: not made by this command and left as it is; -rotate makes one", r.secretName)
	case i < 0:
		why = "the app does not know the one that is there"
	case app.Passwords[i].Ends.Before(r.now().Add(renewBefore)):
		why = "the one that is there ends on " + app.Passwords[i].Ends.Format(time.DateOnly)
	default:
		r.say("%s: good until %s", r.secretName, app.Passwords[i].Ends.Format(time.DateOnly))
	}
	if why != "" {
		r.say("%s: make a client secret for %d days and store it: %s", r.secretName, int(r.life.Hours()/24), why)
		if !r.dryRun {
			if key, err = r.newSecret(ctx, app, stored.ARN != ""); err != nil {
				return err
			}
		}
	}
	return r.tidy(ctx, app, key)
}

// newSecret makes a client secret and stores it; one that cannot be stored is
// removed, since nobody knows it.
func (r *registration) newSecret(ctx context.Context, app application, stored bool) (key string, err error) {
	var made credential
	add := map[string]any{"passwordCredential": credential{Title: secretTitle, Ends: r.now().Add(r.life).UTC().Truncate(time.Second)}}
	for pause := time.Second; ; pause *= 2 {
		err = r.graph.call(ctx, http.MethodPost, "/applications/"+app.ID+"/addPassword", nil, add, &made)
		if !isGone(err) || pause > 32*time.Second {
			break
		}
		// An app that was just made is not everywhere yet.
		if waited := r.wait(ctx, pause); waited != nil {
			return "", waited
		}
	}
	if err != nil {
		return "", fmt.Errorf("a client secret of %s: %w", r.name, err)
	}
	// With its end, so that the schedule can tell when it is near.
	text, err := json.Marshal(map[string]string{"clientSecret": made.Secret, "ends": made.Ends.UTC().Format(time.RFC3339)})
	if err != nil {
		return "", err
	}
	input := map[string]string{"SecretString": string(text),
		"Description": fmt.Sprintf("Client secret of the Entra app %s, key %s, until %s", app.AppID, made.KeyID, made.Ends.Format(time.DateOnly))}
	call := "create-secret"
	if stored {
		call, input["SecretId"] = "update-secret", r.secretName
	} else {
		input["Name"] = r.secretName
	}
	if err = r.aws(ctx, input, nil, "secretsmanager", call); err == nil {
		return made.KeyID, nil
	}
	err = fmt.Errorf("the client secret could not be stored in Secrets Manager: %w", err)
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if left := r.removePassword(undo, app, made.KeyID); left != nil {
		err = errors.Join(err, fmt.Errorf("and it could not be removed at Entra again: %w", left))
	}
	return "", err
}

func (r *registration) removePassword(ctx context.Context, app application, key string) error {
	return r.graph.call(ctx, http.MethodPost, "/applications/"+app.ID+"/removePassword", nil, map[string]string{"keyId": key}, nil)
}

// tidy removes, or names, client secrets of ours that are no longer in use.
func (r *registration) tidy(ctx context.Context, app application, key string) error {
	for _, c := range app.Passwords {
		if c.Title != secretTitle || c.KeyID == key {
			continue
		}
		if !r.removeOld || key == "" {
			r.say("%s: an older client secret (key %s) is good until %s; running functions use it for five minutes more, then -remove-old removes it", r.name, c.KeyID, c.Ends.Format(time.DateOnly))
			continue
		}
		r.say("%s: remove the older client secret with the key %s", r.name, c.KeyID)
		if r.dryRun {
			continue
		}
		if err := r.removePassword(ctx, app, c.KeyID); err != nil {
			return fmt.Errorf("the older client secret: %w", err)
		}
	}
	return nil
}

// remember writes what make deploy needs into the stack's file of parameters.
func (r *registration) remember(client string) error {
	data, err := os.ReadFile(r.local(r.ofStack("parameters")))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if name, _, _ := strings.Cut(line, "="); name != "EntraClientId" && name != "EntraClientSecretName" {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	lines = append(lines, "EntraClientId="+client, "EntraClientSecretName="+r.secretName)
	return r.keep(r.ofStack("parameters"), []byte(strings.Join(lines, "\n")+"\n"))
}
