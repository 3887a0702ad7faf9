// Package events holds one sample event for each way that each Lambda function
// is called, as AWS sends it. Tests run the real binaries with them, and so can
// a person by hand: a file is called <function>.<what>.json.
//
// People, connections and tenants in them are made up.
package events

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.json
var files embed.FS

// Names returns the names of all sample events, sorted, without ".json".
func Names() []string {
	entries, _ := fs.ReadDir(files, ".") // embedded: cannot fail
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	return names
}

// Function returns the function that a sample event is for: what its name
// starts with.
func Function(name string) string {
	function, _, _ := strings.Cut(name, ".")
	return function
}

// Get returns a sample event, or nil when there is none of that name.
func Get(name string) []byte {
	data, err := files.ReadFile(name + ".json")
	if err != nil {
		return nil
	}
	return data
}
