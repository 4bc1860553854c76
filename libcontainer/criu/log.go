// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
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
	if line, hint := lastError(string(b)); line != "" {
		err = fault.Hint(fmt.Errorf("%w: %s", err, line), hint)
	}
	return fault.Hint(err, "see "+path)
}

func (s *session) explainEarly(err error) error {
	if s.stderr == nil {
		return err
	}
	b := make([]byte, 4096)
	n, _ := s.stderr.ReadAt(b, 0)
	if line, hint := lastError(string(b[:n])); line != "" {
		return fault.Hint(fmt.Errorf("%w: %s", err, line), hint)
	}
	return err
}

// lastError returns from CRIU's log the likely reasons of a failure: the first and the
// last two of the lines that have "Error (file.c:12): what" after a time and a process.
// If several processes failed, the first has the reason and the errors of the others
// may follow from it; but some errors, which may come earlier, stop nothing. What
// follows a line with "FAILED." is about the clean-up. hint is that of the first line
// which has one.
func lastError(log string) (lines, hint string) {
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
		hint = cmp.Or(hint, hintOf(line))
		if !slices.Contains(found, line) {
			found = append(found, line)
		}
	}
	if len(found) > 3 {
		found = slices.Delete(found, 1, len(found)-2)
	}
	return strings.Join(found, "; "), hint
}

// hintOf returns what CRIU does not say about an error: the flag that helps, or the
// cause. It is empty if nothing is known.
func hintOf(line string) string {
	for _, h := range [...]struct{ text, hint string }{
		{"Connected TCP socket in image", "use --tcp-established or --tcp-close"},
		{"Unable to find an external netns", "give the network namespace in linux.namespaces a path"},
		{"No mapping for ", "mounts must list every bind mount of the checkpoint, including those that were added to the container"},
		{"Tracking memory is not available", "--pre-dump and --parent-path require a kernel with CONFIG_MEM_SOFT_DIRTY"},
		{"the --skip-in-flight option", "use --tcp-skip-in-flight"},
		{" without peer ", "its peer is in a network namespace that is not the container's"},
	} {
		if strings.Contains(line, h.text) {
			return h.hint
		}
	}
	return ""
}
