// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"-1": -1, "0": 0, "4096": 4096, "512M": 512 << 20, "1g": 1 << 30, "1.5k": 1536, "2KiB": 2048, "3 mb": 3 << 20,
		"10b": 10, "1t": 1 << 40, "8191p": 8191 << 50,
	} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "m", "-2", "1x", "1mm", "1mib2", "0x10", "1e3", "1.2.3", "8192p", "9223372036854775808", "+1", "1bk", "inf", "ki"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}

// Limits beside --resources are not ignored in silence.
func TestBesideResources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r")
	if err := os.WriteFile(file, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for flags, want := range map[string][]string{
		"--force --mem-bw-schema MB:0=20":  nil,
		"--memory 5m --pids-limit x":       {"--memory has no effect with --resources", "--pids-limit has no effect with --resources"},
		"--l3-cache-schema L3:0=f --force": nil,
	} {
		c := new(call)
		args := append([]string{"skiff", "--root", t.TempDir(), "update", "-r", file}, strings.Fields(flags)...)
		if err := c.run(append(args, "web")); !errors.Is(err, libcontainer.ErrNotExist) {
			t.Errorf("%s: %v", flags, err)
		}
		slices.Sort(c.log.warnings)
		if !slices.Equal(c.log.warnings, want) {
			t.Errorf("%s: %q, expected %q", flags, c.log.warnings, want)
		}
	}
}
