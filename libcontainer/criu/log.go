package criu

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// explain adds to err the last error of CRIU's log: CRIU itself answers little
// more than that it failed. Without a log there may be a word on standard error.
func (s *session) explain(err error, dir, log string) error {
	if s.failed != nil {
		return s.failed
	}
	path := filepath.Join(dir, log)
	b, readErr := sys.ReadFile(path)
	if readErr != nil {
		return s.early(err)
	}
	if line := lastError(string(b)); line != "" {
		return fmt.Errorf("%w: %s (%s)", err, line, path)
	}
	return fmt.Errorf("%w (%s)", err, path)
}

func (s *session) early(err error) error {
	if s.said == nil {
		return err
	}
	b := make([]byte, 4096)
	n, _ := s.said.ReadAt(b, 0)
	if line := lastError(string(b[:n])); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// lastError finds what CRIU failed of in its log: the last two lines that have
// "Error (file.c:12): what" after a time and a process, of which the first
// often has the reason. What comes after "FAILED." is of the clean-up.
func lastError(log string) string {
	var found []string
	for line := range strings.Lines(log) {
		i := strings.Index(line, "Error (")
		if i < 0 {
			continue
		}
		line = strings.TrimSpace(line[i:])
		if strings.HasSuffix(line, " FAILED.") && len(found) > 0 {
			break
		}
		found = append(found, line)
	}
	return strings.Join(found[max(0, len(found)-2):], "; ")
}
