package admin

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/core/roster"
	"bindery/shared/directory"
)

// UserPath names a user in a path.
type UserPath struct {
	ID string `path:"id" maxLength:"64" pattern:"^[!-~]+$" doc:"ID of the user"`
}

// Editing is what every edit of a user takes: its version, if the caller cares.
type Editing struct {
	UserPath
	IfMatch string `header:"If-Match" maxLength:"200" doc:"The ETag of the version that is edited; without it the edit goes onto whatever is there"`
}

type userOutput struct {
	ETag string `header:"ETag"`
	Body directory.User
}

type createdUser struct {
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     roster.Edited
}

type editedUser struct {
	ETag string `header:"ETag"`
	Body roster.Edited
}

// Password is a temporary password, shown once.
type Password struct {
	Password string `json:"password" doc:"To be changed at the first sign-in; it is not shown again."`
}

func etag(u *directory.User) string { return fmt.Sprintf("%q", strconv.FormatInt(u.Version, 10)) }

func (a *API) users() {
	create, edit := a.profileSchemas()
	register(a, operation{id: "createUser", method: http.MethodPost, path: "/v1/users", scope: ScopeWrite, sources: true, status: 201,
		summary: "Create a user", body: create, core: []string{allMembers}}, a.createUser)
	register(a, operation{id: "listUsers", method: http.MethodGet, path: "/v1/users", scope: ScopeRead, sources: true,
		summary: "List living users"}, a.listUsers)
	register(a, operation{id: "getUser", method: http.MethodGet, path: "/v1/users/{id}", scope: ScopeRead, sources: true,
		summary: "Read a user, also a deleted one that can be restored"}, a.getUser)
	register(a, operation{id: "editUser", method: http.MethodPatch, path: "/v1/users/{id}", scope: ScopeWrite, sources: true,
		summary: "Edit a user, as a JSON merge patch", body: edit, types: patchTypes, core: []string{allMembers}}, a.editUser)
	register(a, operation{id: "deleteUser", method: http.MethodDelete, path: "/v1/users/{id}", scope: ScopeWrite, sources: true,
		summary: "Delete a user: its account is blocked, its address is free, it can be restored for 30 days"}, a.deleteUser)
	register(a, operation{id: "suspendUser", method: http.MethodPost, path: "/v1/users/{id}/suspend", scope: ScopeWrite, sources: true,
		summary: "Suspend a user: its account is blocked"}, a.setState(directory.StateSuspended))
	register(a, operation{id: "activateUser", method: http.MethodPost, path: "/v1/users/{id}/activate", scope: ScopeWrite, sources: true,
		summary: "Activate a user"}, a.setState(directory.StateActive))
	register(a, operation{id: "restoreUser", method: http.MethodPost, path: "/v1/users/{id}/restore", scope: ScopeWrite, sources: true,
		summary: "Bring a deleted user back"}, a.restoreUser)
	register(a, operation{id: "showPassword", method: http.MethodPost, path: "/v1/users/{id}/temporary-password", scope: ScopeApprove,
		summary: "Show the temporary password of a user's new account, once"}, a.showPassword)
	register(a, operation{id: "loadUsers", method: http.MethodPost, path: "/v1/users:load", scope: ScopeWrite, sources: true, status: 202,
		summary: "Load users from CSV, an Excel workbook or JSON lines; a user with the address of a line is edited", more: loadText,
		body: &huma.Schema{Type: "string"}, optional: true, types: []string{"application/x-ndjson", "text/csv", workbookType, rawType},
		also: later(schema[Job](a))}, a.loadUsers)
	register(a, operation{id: "createUpload", method: http.MethodPost, path: "/v1/uploads", scope: ScopeWrite, sources: true, status: 201,
		summary: "Ask for a request that stores a file of users which is too large for a body", more: uploadText, body: schema[NewUpload](a), core: []string{"bytes", "contentType"}}, a.createUpload)
}

// What the description says of loads and uploads.
const (
	loadText = "The file is the body, or was uploaded before (upload). It has at most 1,000,000 lines with a user, each of at most 204,800 bytes, and a workbook at most 10,000,000 bytes, 128 MB unpacked; of the lines that are refused the job lists the first 10,000 and counts all. " +
		"Separator (comma, semicolon, tab, vertical bar), encoding (UTF-8, UTF-16, Windows-1252), line breaks and the names of columns are recognised, also those of exports of Entra, Microsoft 365, Okta, JumpCloud, BambooHR and Personio, and the job says what was (file). " +
		"A text in another encoding than UTF-8, and CSV in which more than 40 % of the bytes are quotation marks, backslashes and line breaks, is sent as application/octet-stream, which arrives in base64. " +
		"A column that says who may sign in elsewhere counts for new users, unless applyStatus is said. Counts are created, updated, unchanged and statusDiffers, of users whose state such a column would change."
	uploadText = "Send the file, of 1 to 100,000,000 bytes, by the method to the url with the headers and a Content-Length of exactly bytes, within the hour; then call POST /v1/users:load?upload={id} with the same token. " +
		"Whoever has the url can store this one file, once. It is deleted when it is loaded, and else after a day."
)

// NewUpload is the body of a request for an upload.
type NewUpload struct {
	Bytes       int64  `json:"bytes" minimum:"1" maximum:"100000000" doc:"How large the file is."`
	ContentType string `json:"contentType,omitempty" doc:"What the file is: text/csv, application/x-ndjson, or the type of an Excel workbook, with a charset if it is a text and you know it; without it the file speaks for itself."`
}

// Upload is the request that stores a file.
type Upload struct {
	ID      directory.UploadID `json:"id" doc:"For POST /v1/users:load?upload={id}."`
	Bytes   int64              `json:"bytes"`
	Method  string             `json:"method"`
	URL     string             `json:"url" doc:"Whoever has it can store the file: keep it to yourself."`
	Headers map[string]string  `json:"headers" doc:"To be sent as they are."`
	Expires time.Time          `json:"expires"`
}

func (a *API) createUpload(ctx context.Context, by Caller, in *raw) (*struct{ Body Upload }, error) {
	var body NewUpload
	if err := decode(in.RawBody, &body, false); err != nil {
		return nil, err
	}
	as, p := fileOf(body.ContentType)
	if p != nil {
		return nil, p
	}
	u, r, err := a.Roster.StartUpload(ctx, body.Bytes, body.ContentType, as, by.roster())
	return &struct{ Body Upload }{Upload{u.ID, u.Bytes, r.Method, r.URL, r.Headers, r.Expires}}, err
}

// profileSchemas describes the bodies of a create and of an edit.
func (a *API) profileSchemas() (create, edit *huma.Schema) {
	registry := a.huma.OpenAPI().Components.Schemas
	profile := registry.Schema(reflect.TypeFor[directory.Profile](), false, "Profile")
	c, e := *profile, *profile
	c.Required, e.Required = []string{"email"}, nil
	return &c, &e
}

func (a *API) createUser(ctx context.Context, by Caller, in *raw) (*createdUser, error) {
	u, err := a.Roster.Create(ctx, in.RawBody, by.roster())
	return &createdUser{etag(&u.User), "/v1/users/" + string(u.ID), u}, err
}

func (a *API) listUsers(ctx context.Context, _ Caller, in *struct {
	Paging
	Email  string `query:"email" maxLength:"320" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"The whole address"`
	State  string `query:"state" enum:"staged,active,suspended"`
	Source string `query:"source" enum:"manual,scim,ad,m365"`
	Text   string `query:"text" maxLength:"200" pattern:"^[^\\x00-\\x1F\\x7F-\\x9F]*$" doc:"A part of a name, an address or an ID"`
}) (*listOutput[directory.User], error) {
	f := roster.Filter{Email: in.Email, State: directory.UserState(in.State), Source: directory.Source(in.Source), Text: in.Text}
	return listOf(ctx, a, in.Limit, func(limit int) ([]directory.User, string, error) {
		p, err := a.Roster.List(ctx, f, in.Next, limit)
		return p.Users, p.Next, err
	})
}

func (a *API) getUser(ctx context.Context, _ Caller, in *UserPath) (*userOutput, error) {
	return answerUser(a.Roster.Get(ctx, directory.UserID(in.ID)))
}

func answerUser(u directory.User, err error) (*userOutput, error) {
	return &userOutput{etag(&u), u}, err
}

func (a *API) editUser(ctx context.Context, by Caller, in *struct {
	Editing
	raw
}) (*editedUser, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	u, err := a.Roster.Patch(ctx, directory.UserID(in.ID), in.RawBody, version, by.roster())
	return &editedUser{etag(&u.User), u}, err
}

func (a *API) deleteUser(ctx context.Context, by Caller, in *Editing) (*struct{}, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return nil, a.Roster.Delete(ctx, directory.UserID(in.ID), version, by.roster())
}

func (a *API) setState(state directory.UserState) func(context.Context, Caller, *Editing) (*userOutput, error) {
	return func(ctx context.Context, by Caller, in *Editing) (*userOutput, error) {
		version, err := parseIfMatch(in.IfMatch)
		if err != nil {
			return nil, err
		}
		return answerUser(a.Roster.SetState(ctx, directory.UserID(in.ID), state, version, by.roster()))
	}
}

func (a *API) restoreUser(ctx context.Context, by Caller, in *Editing) (*userOutput, error) {
	version, err := parseIfMatch(in.IfMatch)
	if err != nil {
		return nil, err
	}
	return answerUser(a.Roster.Restore(ctx, directory.UserID(in.ID), version, by.roster()))
}

func (a *API) showPassword(ctx context.Context, by Caller, in *UserPath) (*struct{ Body Password }, error) {
	secret, err := a.Passwords.Show(ctx, by.directory(), directory.UserID(in.ID))
	if err != nil {
		return nil, err
	}
	return &struct{ Body Password }{Password{secret.Reveal()}}, nil
}

const workbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// formats maps media types to formats; a type that says nothing lets the file speak.
var formats = map[string]roster.Format{
	"text/csv": roster.FormatCSV, "application/csv": roster.FormatCSV, "application/vnd.ms-excel": "", // what Windows says of CSV
	workbookType:           roster.FormatXLSX,
	"application/x-ndjson": roster.FormatJSONLines, "application/ndjson": roster.FormatJSONLines,
	"application/jsonl": roster.FormatJSONLines, "application/json-lines": roster.FormatJSONLines,
	"application/json": roster.FormatJSONLines, "": "", "application/octet-stream": "", "text/plain": "",
	"application/x-www-form-urlencoded": "", // what curl says when it is told nothing
}

func (a *API) loadUsers(ctx context.Context, by Caller, in *struct {
	ContentType string `header:"Content-Type" maxLength:"200" hidden:"true"`
	Upload      string `query:"upload" maxLength:"64" pattern:"^[!-~]*$" doc:"ID of an upload whose file is to be loaded; the request then has no body"`
	Check       bool   `query:"check" doc:"Only check: all is read, matched and counted as a load would do it, and no user is written; the job's kind is check. An upload that is checked can still be loaded"`
	Sheet       string `query:"sheet" maxLength:"31" doc:"Name of the sheet of a workbook; without it, the first that is shown"`
	Unknown     string `query:"unknownColumns" enum:"refuse,ignore" doc:"What becomes of columns that nobody knows; without it, they refuse a file with our own names, and are ignored, and told, in another system's export"`
	ApplyStatus bool   `query:"applyStatus" doc:"Let another system's column of who may sign in (Status, accountEnabled, Block credential) suspend and activate users who are here; without it, it counts for new ones only"`
	raw
}) (*accepted, error) {
	as := roster.LoadOptions{Sheet: in.Sheet, Unknown: roster.UnknownColumns(in.Unknown), ApplyStatus: in.ApplyStatus, CheckOnly: in.Check}
	if in.Upload != "" {
		if len(in.RawBody) > 0 {
			return nil, directory.Refuse(directory.ErrInvalid, "two-files", "The request names an upload and has a body too.", "Send one of them.")
		}
		return acceptedJob(a.Roster.LoadUpload(ctx, directory.UploadID(in.Upload), as, by.roster()))
	}
	said, p := fileOf(in.ContentType)
	if p != nil {
		return nil, p
	}
	as.Format, as.Encoding = said.Format, said.Encoding
	return acceptedJob(a.Roster.StartLoad(ctx, in.RawBody, as, by.roster()))
}

// charsets maps those of a file's type to encodings; as browsers do, it takes
// the names of Latin 1 for Windows-1252, which has all of it. A type that names
// none, or UTF-16 without its byte order, lets the file speak.
var charsets = map[string]roster.Encoding{
	"": "", "utf-8": roster.EncodingUTF8, "utf8": roster.EncodingUTF8, "us-ascii": "", "utf-16": "",
	"utf-16le": roster.EncodingUTF16LE, "utf-16be": roster.EncodingUTF16BE,
	"windows-1252": roster.EncodingWindows1252, "cp1252": roster.EncodingWindows1252,
	"iso-8859-1": roster.EncodingWindows1252, "latin1": roster.EncodingWindows1252,
}

// fileOf is what a media type says of a file: its format and encoding.
func fileOf(contentType string) (roster.LoadOptions, *Problem) {
	kind, params, err := mime.ParseMediaType(contentType)
	format, known := formats[kind]
	if contentType != "" && err != nil || !known {
		return roster.LoadOptions{}, &Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported-media-type",
			Detail: "The file's type is not known.", NextStep: "Send application/x-ndjson, text/csv or " + workbookType + "."}
	}
	encoding, known := charsets[strings.ToLower(params["charset"])]
	if !known {
		return roster.LoadOptions{}, &Problem{Status: http.StatusUnsupportedMediaType, Code: "unsupported-charset",
			Detail: "The file's charset is not one that is read.", NextStep: "Send it in UTF-8, UTF-16 or Windows-1252."}
	}
	return roster.LoadOptions{Format: format, Encoding: encoding}, nil
}

// parseIfMatch reads the version of an If-Match header; 0 for none or any.
func parseIfMatch(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if s == "" || s == "*" {
		return 0, nil
	}
	text, ok := strings.CutPrefix(strings.TrimPrefix(s, "W/"), `"`)
	text, closed := strings.CutSuffix(text, `"`)
	if version, err := strconv.ParseInt(text, 10, 64); ok && closed && err == nil && version > 0 {
		return version, nil
	}
	return 0, directory.Refuse(directory.ErrStale, "version-mismatch", "If-Match is not the ETag of any version of a user.",
		"Read the user again and send its ETag, with its quotation marks.")
}
