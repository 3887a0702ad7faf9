package template

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An arrow says what the packages in from may import of Bindery's own
// packages. A name ending in /... stands for a folder and all below it.
type arrow struct {
	from []string
	to   []string
	why  string
}

// core lists the packages of what Bindery does, for those that may use all of them.
var core = []string{"shared/core/..."}

// arrows: every package has exactly one row, the first that fits, and a row
// without a package is an error. What is not allowed is forbidden. Tests may import
// what they like, but for the rows of holders below that name them. An arrow goes
// down only: functions and infra, boot, api, core, then store, table, entra and
// platform, directory. Between packages of core only those go that are listed. What
// waits may use shared/clock.
var arrows = []arrow{
	{[]string{"shared/directory"}, nil, "the vocabulary is in the middle: everything speaks it, it speaks of nothing"},

	{[]string{"shared/clock"}, nil, "waiting, whatever for"},

	{[]string{"shared/core/mapping"}, []string{"shared/directory"}, "mapping is pure: from a user to properties, with the vocabulary alone"},
	{[]string{"shared/core/plan"}, []string{"shared/core/mapping", "shared/directory"}, "a plan is plain data from plain data: it can be computed, tested and shown anywhere"},
	{[]string{"shared/core/picture"}, nil, "a picture is bytes in, bytes out: no use of it, and no vocabulary"},
	{[]string{"shared/core/recall"}, nil, "what a warm process keeps is the same for everything: no use of it, and no vocabulary"},
	{[]string{"shared/core/incident"}, []string{"shared/directory"}, "what people are shown of an error, with the vocabulary alone; beside it since it writes a line to the log"},
	{[]string{"shared/core/quota"}, []string{"shared/directory"}, "token buckets are arithmetic on the vocabulary's values and a moment"},
	{[]string{"shared/core/passwords"}, []string{"shared/directory"}, coreAlone},
	{[]string{"shared/core/protect"}, []string{"shared/core/recall", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/runs"}, []string{"shared/core/plan", "shared/core/quota", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/licensing"}, []string{"shared/directory"}, "who gets which licence is plain data from plain data, over a whole tenant"},
	{[]string{"shared/core/reconcile/managers"}, []string{"shared/core/plan", "shared/core/protect", "shared/core/reconcile", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/reconcile/licences"}, []string{"shared/core/licensing", "shared/core/mapping", "shared/core/plan", "shared/core/protect", "shared/core/reconcile", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/uses"}, []string{"shared/core/assign", "shared/core/reconcile/groups", "shared/core/reconcile/licences", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/reconcile/groups"}, []string{"shared/core/mapping", "shared/core/plan", "shared/core/protect", "shared/core/reconcile", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/reconcile"}, []string{"shared/core/incident", "shared/core/mapping", "shared/core/passwords", "shared/core/plan", "shared/core/protect", "shared/core/quota", "shared/core/runs", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/schedule"}, []string{"shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/jobs"}, []string{"shared/core/incident", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/assign/assigntest"}, []string{"shared/directory"}, "a tenant in memory, for the tests of whoever reads one"},
	{[]string{"shared/core/assign"}, []string{"shared/core/jobs", "shared/core/mapping", "shared/core/plan", "shared/core/recall", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/seats"}, []string{"shared/core/assign", "shared/core/jobs", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/provision"}, []string{"shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/people"}, []string{"shared/core/assign", "shared/core/jobs", "shared/core/mapping", "shared/core/picture", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/connect"}, []string{"shared/core/incident", "shared/core/recall", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/doctor"}, []string{"shared/core/incident", "shared/core/mapping", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/audit"}, []string{"shared/core/incident", "shared/core/jobs", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/attention"}, []string{"shared/core/connect", "shared/core/doctor", "shared/directory", "shared/store"}, coreAlone},
	{[]string{"shared/core/safety"}, []string{"shared/directory", "shared/store"}, coreAlone},

	{[]string{"shared/api/claims"}, nil, "what a token grants, whatever is asked with it"},
	{[]string{"shared/api/endpoint"}, nil, "how a request becomes a value and a value an answer, whatever is asked"},
	{[]string{"shared/api/console"}, []string{"shared/directory"}, "the console is a client of /v1, with the admin's token: it knows the vocabulary, and no more of what the API does than any other client"},
	{[]string{"shared/api/scim"}, []string{"shared/api/claims", "shared/core/people", "shared/core/provision", "shared/directory"}, "identity providers push people: the protocol, with none of the admins' API nor its framework"},
	{[]string{"shared/api/admin"}, append([]string{"shared/api/claims", "shared/api/endpoint", "shared/directory", "shared/store"}, core...), "the API shows what the core does; nothing below it knows HTTP"},

	{[]string{"shared/store/storetest"}, []string{"shared/directory", "shared/store", "shared/table"}, "the suite knows the records and the table's contract, and no driver"},
	{[]string{"shared/store"}, []string{"shared/directory", "shared/table"}, "store knows records and the table's contract, no driver and no use that is made of them"},
	{[]string{"shared/table"}, nil, "the contract depends on nobody, least of all on a driver"},
	{[]string{"shared/table/..."}, []string{"shared/table", "shared/platform/ownfile"}, "a driver knows the contract and not what is kept in it"},

	{[]string{"shared/entra/entratest/odata", "shared/entra/entratest/roles", "shared/entra/entratest/inprocess", "shared/entra/entratest/browser", "shared/entra/entratest/contract", "shared/entra/entratest/simclient"}, nil, simulated},
	{[]string{"shared/entra/entratest/state"}, []string{"shared/platform/ownfile"}, simulated},
	{[]string{"shared/entra/entratest/faults", "shared/entra/entratest/skus"}, []string{"shared/entra/entratest/state"}, simulated},
	{[]string{"shared/entra/entratest/licensing"}, []string{"shared/entra/entratest/skus", "shared/entra/entratest/state"}, simulated},
	{[]string{"shared/entra/entratest/portal"}, []string{"shared/entra/entratest/licensing", "shared/entra/entratest/roles", "shared/entra/entratest/skus", "shared/entra/entratest/state"}, simulated},
	{[]string{"shared/entra/entratest/identity"}, []string{"shared/entra/entratest/faults", "shared/entra/entratest/roles", "shared/entra/entratest/state"}, simulated},
	{[]string{"shared/entra/entratest/graph"}, []string{"shared/entra/entratest/faults", "shared/entra/entratest/licensing", "shared/entra/entratest/odata", "shared/entra/entratest/portal", "shared/entra/entratest/roles", "shared/entra/entratest/state"}, simulated},
	{[]string{"shared/entra/entratest", "shared/entra/entratest/control"}, []string{"shared/entra/entratest/...", "shared/platform/loopback"}, simulated},
	{[]string{"shared/entra"}, []string{"shared/directory"}, "adapters point inward, at the vocabulary"},

	{[]string{"shared/platform/ownfile"}, nil, "files that only their owner reads, whatever stands in them"},
	{[]string{"shared/platform/loopback"}, nil, "who reaches a server on this machine, whatever it serves"},
	{[]string{"shared/platform/heads/headstest"}, []string{"shared/directory", "shared/platform/heads"}, suite},
	{[]string{"shared/platform/notify/notifytest"}, []string{"shared/directory", "shared/platform/notify"}, suite},
	{[]string{"shared/platform/queue/queuetest"}, []string{"shared/platform/queue"}, suite},
	{[]string{"shared/platform/signer/signertest"}, []string{"shared/platform/signer"}, suite},
	{[]string{"shared/platform/upload/uploadtest"}, []string{"shared/directory", "shared/platform/upload"}, suite},
	{[]string{"shared/platform/vault/vaulttest"}, []string{"shared/directory", "shared/platform/vault"}, suite},
	{[]string{"shared/platform/vault", "shared/platform/queue", "shared/platform/signer", "shared/platform/heads", "shared/platform/notify", "shared/platform/resolver", "shared/platform/upload", "shared/platform/workbook"}, []string{"shared/directory", "shared/platform/ownfile"}, "adapters point inward, at the vocabulary"},

	{[]string{"shared/boot/telemetry"}, []string{"shared/directory"}, "what a function did is told in the vocabulary's words, whatever it was"},
	{[]string{"shared/boot/lambda"}, []string{"shared/boot/app", "shared/boot/telemetry", "shared/directory", "shared/platform/queue"}, "Lambda's events become requests, messages and ticks; what these do is not known here"},
	{[]string{"shared/boot/app"}, append([]string{"shared/directory", "shared/store", "shared/table", "shared/table/dynamodb", "shared/platform/vault", "shared/platform/queue", "shared/platform/signer", "shared/platform/heads", "shared/platform/notify", "shared/platform/upload", "shared/boot/telemetry"}, core...), "app joins the core to AWS; Microsoft's SDK is added only by the mains that need it, so the others stay small"},
	{[]string{"shared/boot/web"}, []string{"shared/api/admin", "shared/boot/app", "shared/core/attention", "shared/core/protect", "shared/core/safety"}, "the API's framework is linked only by the functions that have an API"},
	{[]string{"shared/api/scim/scimtest"}, []string{"shared/directory"}, "what others ask of a server of SCIM is asked over HTTP, whatever answers; of the directory it sees what came of it"},
	{[]string{"shared/testworld"}, []string{"shared/directory", "shared/store", "shared/table/memory"}, "what tests of the core and the API work on: records in memory, and no use that is made of them"},
	{[]string{"events"}, nil, "samples are data"},
	{[]string{"functions/..."}, []string{"shared/api/console", "shared/api/scim", "shared/boot/app", "shared/boot/lambda", "shared/boot/web", "shared/core/connect", "shared/core/people", "shared/entra", "shared/platform/resolver", "shared/platform/workbook"}, "a Lambda runs on AWS's drivers: no simulator, no laptop's store, nothing of infra"},
	{[]string{"infra/..."}, []string{"shared/...", "events", "infra/..."}, "infra joins everything, and nothing joins infra"},
}

const simulated = "the simulated Microsoft is the other side: sharing code with the adapter would share its mistakes; and its rooms stand on each other in one direction"

const suite = "a suite knows its contract, which every driver is held to, and nothing else"

const coreAlone = "the core declares what it needs where it uses it, so Microsoft, AWS and the laptop can be exchanged; of store it uses the record types, and of itself what is listed"

// A holder is the only place for an import from outside.
type holder struct {
	imports []string // paths, or prefixes ending in /...
	in      []string
	tests   bool // whether tests must keep to it as well
	why     string
}

var holders = []holder{
	{[]string{"github.com/microsoftgraph/msgraph-sdk-go/...", "github.com/microsoftgraph/msgraph-sdk-go-core/...", "github.com/microsoft/..."}, []string{"shared/entra", "infra/bench"}, true, "Microsoft's SDK takes minutes to compile: one package holds it, and one script in the bench is measured against it"},
	{[]string{"github.com/microsoftgraph/" + "msgraph-sdk-go"}, nil, true, "the SDK's root package links everything; its sub-packages do"},
	{[]string{"github.com/aws/aws-sdk-go-v2/...", "github.com/aws/smithy-go/..."}, []string{"shared/table/dynamodb", "shared/platform/vault", "shared/platform/queue", "shared/platform/signer", "shared/platform/heads", "shared/platform/notify", "shared/platform/upload", "shared/boot/app", "infra/..."}, false, "AWS is an adapter's business"},
	{[]string{"github.com/aws/aws-lambda-go/..."}, []string{"shared/boot/lambda", "events", "infra/..."}, false, "only what runs in Lambda knows its events"},
	{[]string{"go.etcd.io/bbolt/..."}, []string{"shared/table/bolt", "infra/..."}, false, "the laptop's file has one driver"},
	{[]string{"github.com/danielgtaylor/huma/v2/..."}, []string{"shared/api/endpoint", "shared/api/admin", "infra/..."}, false, "one package is the HTTP API, on the one that joins its operations"},
	{[]string{"maragu.dev/gomponents/..."}, []string{"shared/api/console"}, false, "one package makes pages"},
	{[]string{"github.com/xuri/excelize/v2/..."}, []string{"shared/platform/workbook", "infra/..."}, false, "one package reads workbooks, and only reads them: what computes formulas would link every method of Microsoft's SDK"},
	{[]string{"github.com/miekg/dns/..."}, []string{"shared/platform/resolver", "infra/..."}, false, "one package speaks DNS, so that only sync carries it"},
	{[]string{"text/template", "html/template", "net/rpc"}, []string{"shared/table/tabletest", "infra/..."}, false, "linked with Microsoft's SDK, each makes a binary of 19 MB one of 37 MB: they call methods by name, so none can be left out"},
	{[]string{"net/http", "net", "os", "log/slog", "database/sql"}, []string{"shared/core/incident", "shared/platform/ownfile", "shared/platform/loopback", "shared/entra/...", "shared/platform/vault", "shared/platform/heads", "shared/platform/queue", "shared/table/...", "shared/boot/...", "shared/core/connect", "shared/core/reconcile", "shared/core/jobs", "shared/core/assign", "shared/core/uses", "shared/core/people", "shared/core/provision", "shared/core/doctor", "shared/core/audit", "shared/api/endpoint", "shared/api/admin", "shared/api/console", "shared/api/scim", "shared/api/scim/scimtest", "shared/store", "shared/platform/resolver", "shared/platform/upload", "shared/platform/upload/uploadtest", "functions/...", "infra/..."}, false, "directory, mapping and plan do no I/O and write no log"},
	{[]string{"os", "database/sql"}, []string{"shared/platform/ownfile", "shared/entra/entratest/...", "shared/platform/vault", "shared/platform/heads", "shared/platform/upload", "shared/table/...", "shared/boot/lambda", "shared/api/scim/scimtest", "infra/..."}, false, "the environment and the disk belong to what starts a function, to the laptop's drivers and to the mains"},
	{[]string{"testing", "testing/..."}, []string{"shared/table/tabletest", "shared/store/storetest", "shared/platform/heads/headstest", "shared/platform/notify/notifytest", "shared/platform/queue/queuetest", "shared/platform/signer/signertest", "shared/platform/upload/uploadtest", "shared/platform/vault/vaulttest", "shared/entra/entratest/...", "shared/api/scim/scimtest", "shared/testworld", "infra/..."}, false, "test code stays out of the product"},
	{[]string{"unsafe", "C"}, nil, true, "there is no need for it"},
}

// source is one parsed file.
type source struct {
	file string // relative to the root
	pkg  string // its folder
	test bool
	tree *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	for _, top := range []string{"functions", "shared", "infra", "events"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(name) != ".go" {
				return err
			}
			fset := token.NewFileSet()
			tree, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			file, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			file = filepath.ToSlash(file)
			found = append(found, source{file, path.Dir(file), strings.HasSuffix(file, "_test.go"), tree, fset})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func (s source) imports() []string {
	var paths []string
	for _, i := range s.tree.Imports {
		p, _ := strconv.Unquote(i.Path.Value) // it has been parsed
		paths = append(paths, p)
	}
	return paths
}

// within reports whether a path is one of the names, or below one that ends in /...
func within(p string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if folder, ok := strings.CutSuffix(n, "/..."); ok {
			return p == folder || strings.HasPrefix(p, folder+"/")
		}
		return p == n
	})
}

func TestArrows(t *testing.T) {
	t.Parallel()
	starts := make([]int, len(arrows))
	for _, s := range sources(t) {
		row := slices.IndexFunc(arrows, func(a arrow) bool { return within(s.pkg, a.from) })
		if row < 0 {
			t.Errorf("%s: no arrow starts at %s; say in arrows_test.go what it may import, and why", s.file, s.pkg)
			continue
		}
		a := arrows[row]
		starts[row]++
		for _, p := range s.imports() {
			own, ok := strings.CutPrefix(p, "bindery/")
			if !ok || s.test || within(own, a.to) || own == clock && !within(s.pkg, pure) {
				if ok && strings.HasPrefix(s.pkg, "shared/") && strings.HasPrefix(own, "infra/") {
					t.Errorf("%s imports %s: shared never knows infra, its tests neither", s.file, own)
				}
				continue
			}
			t.Errorf("%s imports %s: %s", s.file, own, a.why)
		}
	}
	for i, n := range starts {
		if n == 0 {
			t.Errorf("no package is in the row of %v any more: take the row out", arrows[i].from)
		}
	}
	for _, a := range arrows {
		for _, name := range append(slices.Clone(a.from), a.to...) {
			if folder := strings.TrimSuffix(name, "/..."); !isFolder(t, folder) {
				t.Errorf("the row of %v names %s, which is not there any more", a.from, name)
			}
		}
	}
}

func isFolder(t *testing.T, name string) bool {
	t.Helper()
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
	return err == nil && info.IsDir()
}

func TestHolders(t *testing.T) {
	t.Parallel()
	for _, h := range holders {
		for _, name := range h.in {
			if folder := strings.TrimSuffix(name, "/..."); !isFolder(t, folder) {
				t.Errorf("the row of %v names %s, which is not there any more", h.imports, name)
			}
		}
	}
	for _, s := range sources(t) {
		for _, p := range s.imports() {
			for _, h := range holders {
				if within(p, h.imports) && !within(s.pkg, h.in) && (h.tests || !s.test) && !inOther(p, h) {
					t.Errorf("%s imports %s: %s", s.file, p, h.why)
				}
			}
		}
	}
}

// inOther: the row for the SDK's root package must not be answered by the row
// for the folder below it.
func inOther(p string, h holder) bool {
	return p == "github.com/microsoftgraph/msgraph-sdk-go" && slices.Contains(h.imports, p+"/...")
}

// clock is the package by which everything waits that is not pure.
const clock = "shared/clock"

// pure names the packages whose results depend on their input alone.
var pure = []string{"shared/directory", "shared/core/mapping", "shared/core/plan"}

// The pure packages read no clock: what they compute depends on their input alone.
func TestNoClock(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test || !within(s.pkg, pure) {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer"}, sel.Sel.Name) {
				t.Errorf("%s uses time.%s", s.fset.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

// A main wires and does nothing else; no package acts by being imported.
func TestMainsAndInit(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if lines := s.fset.Position(s.tree.FileEnd).Line; within(s.pkg, []string{"functions/..."}) && !s.test && lines > 60 {
			t.Errorf("%s has %d lines, want at most 60", s.file, lines)
		}
		for _, d := range s.tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init", s.fset.Position(f.Pos()))
			}
		}
	}
}

// Every package says what it is for, and the top holds nothing unexpected.
func TestPackageComments(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if !s.test {
			documented[s.pkg] = documented[s.pkg] || s.tree.Doc != nil
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}
