// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/trace"
)

// need is a flag that may be used, and CRIU's name for its option. An older CRIU
// silently ignores an option that it does not know in a message.
type need struct {
	used         bool
	flag, option string
}

func (o *DumpOptions) needs() []need {
	return []need{
		{o.LazyPages, "--lazy-pages", "--lazy-pages"},
		{o.Status != nil, "--status-fd", "--status-fd"},
		{o.AutoDedup, "--auto-dedup", "--auto-dedup"},
		{o.EmptyNetwork, "--empty-ns", "--empty-ns"},
		{o.LinkRemap, "--link-remap", "--link-remap"},
		{o.TCPSkipInFlight, "--tcp-skip-in-flight", "--skip-in-flight"},
		{o.NetworkLock != "", "--network-lock", "--network-lock"},
	}
}

func (o *RestoreOptions) needs() []need {
	return []need{
		{o.LazyPages, "--lazy-pages", "--lazy-pages"},
		{o.AutoDedup, "--auto-dedup", "--auto-dedup"},
		{o.EmptyNetwork, "--empty-ns", "--empty-ns"},
		{o.TCPClose, "--tcp-close", "--tcp-close"},
		{o.LSMProfile != "", "--lsm-profile", "--lsm-profile"},
		{o.LSMMountContext != "", "--lsm-mount-context", "--lsm-mount-context"},
	}
}

// checkKnown refuses a used flag whose option the help of the installed CRIU does not
// list.
func checkKnown(all []need) error {
	help := ""
	for _, n := range all {
		if !n.used {
			continue
		}
		if help == "" {
			path, err := find()
			if err != nil {
				return err
			}
			m := trace.Begin()
			b, err := exec.Command(path, "--help").Output()
			m.Done(err, "run", "criu --help")
			if err != nil {
				return fmt.Errorf("criu --help: %w", err)
			}
			help = string(b)
		}
		if !knows(help, n.option) {
			return fault.Hint(fmt.Errorf("%s: the installed criu%s does not support %s", n.flag, version(), n.option), "install a newer criu")
		}
	}
	return nil
}

// knows reports whether a help text lists an option.
func knows(help, option string) bool {
	return regexp.MustCompile(`(?m)(^|[\s|])` + regexp.QuoteMeta(option) + `($|[\s=])`).MatchString(help)
}

// version returns a space and the version of the installed CRIU, or an empty string if
// it is unknown.
func version() string {
	path, err := find()
	if err != nil {
		return ""
	}
	b, _ := exec.Command(path, "--version").Output()
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "Version: "); ok {
			return " " + strings.TrimSpace(v)
		}
	}
	return ""
}

func find() (string, error) {
	path, err := exec.LookPath("criu")
	if err != nil {
		return "", fault.Hint(fmt.Errorf("criu is not installed: %w", err), "install the package criu")
	}
	return path, nil
}
