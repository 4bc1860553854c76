package criu

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// explain adds to err the errors of CRIU's log, since CRIU's answer says little more
// than that it failed. If there is no log, standard error may have a message.
func (s *session) explain(err error, dir, log string) error {
	if s.failed != nil {
		return s.failed
	}
	path := filepath.Join(dir, log)
	b, readErr := sys.ReadFile(path)
	if readErr != nil {
		return s.explainEarly(err)
	}
	if line := lastError(string(b)); line != "" {
		return fmt.Errorf("%w: %s (%s)", err, line, path)
	}
	return fmt.Errorf("%w (%s)", err, path)
}

func (s *session) explainEarly(err error) error {
	if s.stderr == nil {
		return err
	}
	b := make([]byte, 4096)
	n, _ := s.stderr.ReadAt(b, 0)
	if line := lastError(string(b[:n])); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// lastError returns from CRIU's log the likely reasons of a failure: the first and the
// last two of the lines that have "Error (file.c:12): what" after a time and a process.
// If several processes failed, the first has the reason and the errors of the others
// may follow from it; but some errors, which may come earlier, stop nothing. What
// follows a line with "FAILED." is about the clean-up.
func lastError(log string) string {
	var found []string
	for line := range strings.Lines(log) {
		i := strings.Index(line, "Error (")
		if i < 0 {
			i = strings.Index(line, "Can't connect to server ") // CRIU does not log that as an error
		}
		if i < 0 {
			continue
		}
		line = strings.TrimSpace(line[i:])
		if strings.HasSuffix(line, " FAILED.") && len(found) > 0 {
			break
		}
		if strings.Contains(line, " exited, status=") && len(found) > 0 || strings.Contains(line, "Can't setup RLIMIT_NOFILE for self") {
			continue
		}
		if line = withHint(line); !slices.Contains(found, line) {
			found = append(found, line)
		}
	}
	if len(found) > 3 {
		found = slices.Delete(found, 1, len(found)-2)
	}
	return strings.Join(found, "; ")
}

// withHint adds what CRIU does not say: the flag that helps, or the cause.
func withHint(line string) string {
	for _, h := range [...]struct{ text, hint string }{
		{"Connected TCP socket in image", "consider --tcp-established or --tcp-close"},
		{"Unable to find an external netns", "linux.namespaces must give the network namespace a path"},
		{"No mapping for ", "mounts must give every bind that the checkpoint has, also those that were added to the container"},
		{"Tracking memory is not available", "--pre-dump and --parent-path need a kernel with CONFIG_MEM_SOFT_DIRTY"},
		{"the --skip-in-flight option", "consider --tcp-skip-in-flight"},
		{" without peer ", "its other end is in a network namespace that is not the container's"},
	} {
		if strings.Contains(line, h.text) {
			return line + " (" + h.hint + ")"
		}
	}
	return line
}
