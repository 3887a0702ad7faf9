package people

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"bindery/shared/core/jobs"
	"bindery/shared/directory"
)

// MaxBody is how large the body of a request may be, in bytes. Lambda takes 6 MB
// of JSON, in which a body that is no text is in base64, four bytes for
// three, beside at most 10 KB of headers and what is made of them. A
// larger file is uploaded.
const MaxBody = 4_400_000

// UploadInstead says what to do with a file that is larger than MaxBody.
const UploadInstead = "Upload the file instead: POST /v1/uploads with its size gives the request to store it with, and POST /v1/users:load?upload={id}, or POST /v1/groups:load?upload={id}, loads it from there."

// Content says what a file is of.
type Content string

// The contents of files.
const (
	OfUsers  Content = ""
	OfGroups Content = "groups" // groups and their members
)

// LoadOptions say how a file is to be read and loaded. What is not said of the
// file, it says itself.
type LoadOptions struct {
	// Of says what the file is of; "" is users.
	Of       Content  `json:"of,omitempty"`
	Format   Format   `json:"format,omitempty"`
	Encoding Encoding `json:"encoding,omitempty"`
	// Sheet of a workbook, by its name; "" is the first one that is shown.
	Sheet   string         `json:"sheet,omitempty"`
	Unknown UnknownColumns `json:"unknownColumns,omitempty"`
	// ApplyStatus lets another system's column of who is active change the state of
	// users who are here; else it counts for new ones only.
	ApplyStatus bool `json:"applyStatus,omitempty"`
	// CheckOnly reads, matches and counts, and writes no user.
	CheckOnly bool `json:"checkOnly,omitempty"`
}

// shape is that of the objects in the file.
func (o LoadOptions) shape() *shape {
	if o.Of == OfGroups {
		return groupLineShape
	}
	return userShape
}

// kind is the kind of the job. A version that knows less leaves other kinds alone.
func (o LoadOptions) kind() directory.JobKind {
	switch {
	case o.Of == OfGroups && o.CheckOnly:
		return directory.JobCheckGroups
	case o.Of == OfGroups:
		return directory.JobLoadGroups
	case o.CheckOnly:
		return directory.JobCheck
	}
	return directory.JobLoad
}

// audit is what asking for the load is.
func (o LoadOptions) audit() directory.AuditKind {
	if o.Of == OfGroups {
		return directory.AuditLoadGroups
	}
	return directory.AuditLoadUsers
}

// LoadsConfig is what Loads stand on.
type LoadsConfig struct {
	Stores  Stores
	Users   *Users
	Groups  *Groups
	Jobs    *jobs.Service
	Uploads *jobs.Uploads
	Sheets  OpenSheet    // nil in a process that reads no workbooks
	Log     *slog.Logger // nil means silence
}

// Loads loads files of users, and of groups. It may be used by many goroutines.
type Loads struct {
	find    userFinder
	write   userWriter
	users   *Users
	groups  *Groups
	jobs    *jobs.Service
	uploads *jobs.Uploads
	sheets  OpenSheet
	log     *slog.Logger
}

// NewLoads returns Loads.
func NewLoads(cfg LoadsConfig) *Loads {
	return &Loads{find: cfg.Stores.Find, write: cfg.Stores.Write, users: cfg.Users, groups: cfg.Groups, jobs: cfg.Jobs, uploads: cfg.Uploads, sheets: cfg.Sheets, log: orSilent(cfg.Log)}
}

// loadInput is the input of a load: of a file that came with the request, which
// is in the job's parts, or of one that was uploaded.
type loadInput struct {
	Source  directory.Source `json:"source"`
	Subject string           `json:"subject"`
	LoadOptions
	// Size of the file; 0 in a job of an older version, whose parts hold the
	// elements, read already.
	Size   int64              `json:"size,omitempty"`
	Upload directory.UploadID `json:"upload,omitempty"`
	// Version of the uploaded file that is loaded, and no other.
	Version string `json:"version,omitempty"`
}

// parts is in how many parts of the job's input the file came.
func (in *loadInput) parts() int {
	if in.Upload != "" {
		return 0
	}
	return int((in.Size + jobs.MaxPart - 1) / jobs.MaxPart)
}

// StartLoad starts the load of a file, or the check of one. A file that
// cannot be read at all is refused at once; faults of single lines are reported
// by the job.
func (s *Loads) StartLoad(ctx context.Context, by directory.Caller, data []byte, as LoadOptions) (directory.Job, error) {
	if len(data) > MaxBody {
		return directory.Job{}, directory.Refuse(directory.ErrTooLarge, directory.CodeBodyTooLarge,
			fmt.Sprintf("The file has %d bytes; at most %d are taken in a request.", len(data), MaxBody), UploadInstead)
	}
	f := memoryFile(data)
	f.sheets = s.sheets
	l, err := f.layout(ctx, as)
	if err != nil {
		return directory.Job{}, err
	}
	n := 0
	if l.format != FormatXLSX { // whose rows are counted when it is unpacked
		if n, err = f.countAll(ctx, &l, as); err != nil {
			return directory.Job{}, err
		}
	}
	in := loadInput{Source: by.WritesAs(), Subject: by.Subject, LoadOptions: as, Size: f.size}
	in.Format = l.format
	return s.jobs.Start(ctx, jobs.Order{
		Kind: as.kind(), By: by, Audit: as.audit(), Input: in, Total: n, File: l.describe(),
		Parts: slices.Collect(slices.Chunk(data, jobs.MaxPart)),
	})
}

// LoadUpload starts the load of a file that was uploaded. Only who asked for the
// upload may load it, as the same source, and once; to be checked only, it may be
// named before that as often as one likes. A file that cannot be read at all is
// refused at once.
func (s *Loads) LoadUpload(ctx context.Context, by directory.Caller, id directory.UploadID, as LoadOptions) (directory.Job, error) {
	u, stored, err := s.uploads.Find(ctx, by, id)
	if err != nil {
		return directory.Job{}, err
	}
	as.Format = Format(u.Format)
	as.Encoding = Encoding(u.Encoding)
	l, err := s.uploaded(id, stored).layout(ctx, as)
	if err != nil {
		return directory.Job{}, err
	}
	as.Format = l.format
	order := jobs.Order{
		Kind: as.kind(), By: by, Audit: as.audit(), File: l.describe(),
		Input: loadInput{Source: u.Source, Subject: u.By, LoadOptions: as, Size: stored.Size, Upload: id, Version: stored.Version},
	}
	if !as.CheckOnly {
		order.Upload = id
	}
	return s.uploads.StartJob(ctx, order)
}

// uploaded is an uploaded file of a version.
func (s *Loads) uploaded(id directory.UploadID, stored directory.StoredFile) *file {
	return &file{size: stored.Size, sheets: s.sheets, read: func(ctx context.Context, offset int64) ([]byte, error) {
		return s.uploads.Read(ctx, id, stored.Version, offset, readBytes)
	}}
}

// describe is what a job says of its file.
func (l *layout) describe() *directory.LoadedFile {
	f := &directory.LoadedFile{Format: string(l.format), Sheet: l.sheet, HeaderLine: l.header, Export: l.columns.export}
	if l.format != FormatXLSX {
		f.Encoding = string(l.encoding)
	}
	if l.format == FormatCSV {
		f.Separator = string(l.comma)
	}
	for _, c := range l.columns.list {
		column := directory.FileColumn{Name: c.name, Attribute: c.path, Ignored: c.ignored, Note: c.note}
		if r := []rune(column.Name); len(r) > 100 {
			column.Name = string(r[:100]) + "…"
		}
		f.Columns = append(f.Columns, column)
	}
	return f
}
