package heads_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bindery/shared/directory"
	"bindery/shared/platform/heads"
	"bindery/shared/platform/heads/headstest"
)

func newFolder(path string) *heads.Folder { return heads.NewFolder(heads.FolderConfig{Path: path}) }

func TestFolder(t *testing.T) {
	t.Parallel()
	headstest.Run(t, func(t *testing.T) heads.Keeper { return newFolder(filepath.Join(t.TempDir(), "heads")) })
}

// Files are whole, nobody may write to them, and nothing else lies about.
func TestFolderFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "heads")
	h := directory.ChainHead{Chain: "acts", Seq: 12, Hash: strings.Repeat("0a", 32)}
	if err := newFolder(dir).Keep(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(filepath.Join(dir, "acts"))
	if err != nil || len(list) != 1 || list[0].Name() != "0000000012-"+h.Hash {
		t.Fatalf("files = %v, %v", list, err)
	}
	info, err := list[0].Info()
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "acts", list[0].Name()))
	if err != nil || !strings.Contains(string(data), `"seq":12`) {
		t.Errorf("file = %q, %v", data, err)
	}
}
