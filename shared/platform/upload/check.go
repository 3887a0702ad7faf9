package upload

import (
	"fmt"
	"strings"

	"bindery/shared/directory"
)

// checkID keeps what is no upload's ID out of paths and keys.
func checkID(id directory.UploadID) error {
	rest, ok := strings.CutPrefix(string(id), "upl_")
	if !ok || rest == "" || len(rest) > 60 || strings.Trim(rest, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("upload %.80q: %w", id, directory.ErrNotFound)
	}
	return nil
}
