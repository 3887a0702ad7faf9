package admin

import (
	"context"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"bindery/shared/core/jobs"
	"bindery/shared/core/people"
	"bindery/shared/directory"
)

// Loads loads files of users and groups; *people.Loads does.
type Loads interface {
	StartLoad(ctx context.Context, by directory.Caller, data []byte, as people.LoadOptions) (directory.Job, error)
	LoadUpload(ctx context.Context, by directory.Caller, id directory.UploadID, as people.LoadOptions) (directory.Job, error)
}

// Uploads takes files that are too large for a body; *jobs.Uploads does.
type Uploads interface {
	Start(ctx context.Context, by directory.Caller, claim jobs.FileClaim) (directory.Upload, directory.SignedRequest, error)
}

func (a *API) loads() {
	register(a, operation{id: "loadUsers", method: http.MethodPost, path: "/v1/users:load", scope: ScopeWrite, sources: true, status: 202,
		summary: "Load users from CSV, an Excel workbook or JSON lines; a user with the address of a line is edited", more: loadText,
		body: &huma.Schema{Type: "string"}, optional: true, types: fileTypes,
		also: later(schema[Job](a))}, a.loadUsers)
	register(a, operation{id: "createUpload", method: http.MethodPost, path: "/v1/uploads", scope: ScopeWrite, sources: true, status: 201,
		summary: "Ask for a request that stores a file of users or groups which is too large for a body", more: uploadText, body: schema[NewUpload](a), core: []string{"bytes", "contentType"}}, a.createUpload)
}

// What the description says of loads and uploads.
const (
	loadText = "The file is the body, or was uploaded before (upload). It has at most 1,000,000 lines with a user, each of at most 204,800 bytes, and a workbook at most 10,000,000 bytes, 128 MB unpacked; of the lines that are refused the job lists the first 10,000 and counts all. " +
		"Separator (comma, semicolon, tab, vertical bar), encoding (UTF-8, UTF-16, Windows-1252), line breaks and the names of columns are recognised, also those of exports of Entra, Microsoft 365, Okta, JumpCloud, BambooHR and Personio, and the job says what was (file). " +
		"A text in another encoding than UTF-8, and CSV in which more than 40 % of the bytes are quotation marks, backslashes and line breaks, is sent as application/octet-stream, which arrives in base64. " +
		"A line of JSON may have the id of a user beside the address: it edits that user while the address is theirs, and nobody else. " +
		"A column that says who may sign in elsewhere counts for new users, unless applyStatus is said. Counts are created, updated, unchanged and statusDiffers, of users whose state such a column would change."
	uploadText = "Send the file, of 1 to 100,000,000 bytes, by the method to the url with the headers and a Content-Length of exactly bytes, within the hour; then call POST /v1/users:load?upload={id}, or POST /v1/groups:load?upload={id}, with the same token. " +
		"Whoever has the url can store this one file, once. It is deleted when it is loaded, and else after a day."
)

// NewUpload is the body of a request for an upload.
type NewUpload struct {
	Bytes       int64  `json:"bytes" minimum:"1" maximum:"100000000" doc:"How large the file is."`
	ContentType string `json:"contentType,omitempty" doc:"What the file is: text/csv, application/x-ndjson, or the type of an Excel workbook, with a charset if it is a text and you know it; without it the file speaks for itself."`
}

// Upload is the request that stores a file.
type Upload struct {
	ID      directory.UploadID `json:"id" doc:"For POST /v1/users:load?upload={id} or POST /v1/groups:load?upload={id}."`
	Bytes   int64              `json:"bytes"`
	Method  string             `json:"method"`
	URL     string             `json:"url" doc:"Whoever has it can store the file: keep it to yourself."`
	Headers map[string]string  `json:"headers" doc:"To be sent as they are."`
	Expires time.Time          `json:"expires"`
}

func (a *API) createUpload(ctx context.Context, by Caller, in *sent[NewUpload]) (*output[Upload], error) {
	as, p := fileOf(in.body.ContentType)
	if p != nil {
		return nil, p
	}
	claim := jobs.FileClaim{Bytes: in.body.Bytes, ContentType: in.body.ContentType, Format: string(as.Format), Encoding: string(as.Encoding)}
	u, r, err := a.Uploads.Start(ctx, by.Caller, claim)
	return &output[Upload]{Upload{u.ID, u.Bytes, r.Method, r.URL, r.Headers, r.Expires}}, err
}

// fileTypes are the media types of a file of users or groups, as the description has them.
var fileTypes = []string{"application/x-ndjson", "text/csv", workbookType, rawType}

const workbookType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// formats maps media types to formats; a type that says nothing lets the file speak.
var formats = map[string]people.Format{
	"text/csv": people.FormatCSV, "application/csv": people.FormatCSV, "application/vnd.ms-excel": "", // what Windows says of CSV
	workbookType:           people.FormatXLSX,
	"application/x-ndjson": people.FormatJSONLines, "application/ndjson": people.FormatJSONLines,
	"application/jsonl": people.FormatJSONLines, "application/json-lines": people.FormatJSONLines,
	"application/json": people.FormatJSONLines, "": "", "application/octet-stream": "", "text/plain": "",
	"application/x-www-form-urlencoded": "", // what curl says when it is told nothing
}

// FileInput is a file to be loaded.
type FileInput struct {
	ContentType string `header:"Content-Type" maxLength:"200" hidden:"true"`
	Upload      string `query:"upload" maxLength:"64" pattern:"^[!-~]*$" doc:"ID of an upload whose file is to be loaded; the request then has no body"`
	Sheet       string `query:"sheet" maxLength:"31" doc:"Name of the sheet of a workbook; without it, the first that is shown"`
	Unknown     string `query:"unknownColumns" enum:"refuse,ignore" doc:"What becomes of columns that nobody knows; without it, they refuse a file with our own names, and are ignored, and told, in another system's export"`
	raw
}

func (a *API) loadUsers(ctx context.Context, by Caller, in *struct {
	FileInput
	Check       bool `query:"check" doc:"Only check: all is read, matched and counted as a load would do it, and no user is written; the job's kind is check. An upload that is checked can still be loaded"`
	ApplyStatus bool `query:"applyStatus" doc:"Let another system's column of who may sign in (Status, accountEnabled, Block credential) suspend and activate users who are here; without it, it counts for new ones only"`
}) (*accepted, error) {
	return a.load(ctx, by, &in.FileInput, people.LoadOptions{ApplyStatus: in.ApplyStatus, CheckOnly: in.Check})
}

// load starts the load of a file.
func (a *API) load(ctx context.Context, by Caller, in *FileInput, as people.LoadOptions) (*accepted, error) {
	as.Sheet, as.Unknown = in.Sheet, people.UnknownColumns(in.Unknown)
	if in.Upload != "" {
		if len(in.RawBody) > 0 {
			return nil, directory.Refuse(directory.ErrInvalid, directory.CodeTwoFiles, "The request names an upload and has a body too.", "Send one of them.")
		}
		return acceptedJob(a.Loads.LoadUpload(ctx, by.Caller, directory.UploadID(in.Upload), as))
	}
	said, p := fileOf(in.ContentType)
	if p != nil {
		return nil, p
	}
	as.Format, as.Encoding = said.Format, said.Encoding
	return acceptedJob(a.Loads.StartLoad(ctx, by.Caller, in.RawBody, as))
}

// charsets maps those of a file's type to encodings; as browsers do, it takes
// the names of Latin 1 for Windows-1252, which has all of it. A type that names
// none, or UTF-16 without its byte order, lets the file speak.
var charsets = map[string]people.Encoding{
	"": "", "utf-8": people.EncodingUTF8, "utf8": people.EncodingUTF8, "us-ascii": "", "utf-16": "",
	"utf-16le": people.EncodingUTF16LE, "utf-16be": people.EncodingUTF16BE,
	"windows-1252": people.EncodingWindows1252, "cp1252": people.EncodingWindows1252,
	"iso-8859-1": people.EncodingWindows1252, "latin1": people.EncodingWindows1252,
}

// fileOf is what a media type says of a file: its format and encoding.
func fileOf(contentType string) (people.LoadOptions, *Problem) {
	kind, params, err := mime.ParseMediaType(contentType)
	format, known := formats[kind]
	if contentType != "" && err != nil || !known {
		return people.LoadOptions{}, &Problem{Status: http.StatusUnsupportedMediaType, Code: directory.CodeUnsupportedMediaType,
			Detail: "The file's type is not known.", NextStep: "Send application/x-ndjson, text/csv or " + workbookType + "."}
	}
	encoding, known := charsets[strings.ToLower(params["charset"])]
	if !known {
		return people.LoadOptions{}, &Problem{Status: http.StatusUnsupportedMediaType, Code: directory.CodeUnsupportedCharset,
			Detail: "The file's charset is not one that is read.", NextStep: "Send it in UTF-8, UTF-16 or Windows-1252."}
	}
	return people.LoadOptions{Format: format, Encoding: encoding}, nil
}
