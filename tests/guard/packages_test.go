// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/tests/golden"
)

// TestPackages fails if the binary links another package than those of
// testdata/packages.txt: the initialization of a package is paid for at every start.
func TestPackages(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-tags", "urfave_cli_no_docs", ".")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("needs the go command and the source: %v", err)
	}
	golden.Compare(t, filepath.Join("testdata", "packages.txt"), []byte(strings.Join(foreign(strings.Fields(string(out))), "\n")+"\n"))
}

// foreign returns the packages that are neither this module's nor internal ones of
// others, sorted.
func foreign(all []string) (names []string) {
	for _, p := range all {
		parts := strings.Split(p, "/")
		own := strings.HasPrefix(p, "github.com/skiff-oci/skiff")
		if !own && !slices.Contains(parts, "internal") && parts[0] != "vendor" {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	return names
}

func TestForeign(t *testing.T) {
	got := foreign(strings.Fields("os internal/abi crypto/internal/fips140 github.com/skiff-oci/skiff/libcontainer vendor/golang.org/x/net golang.org/x/sys/unix errors"))
	if want := strings.Fields("errors golang.org/x/sys/unix os"); !slices.Equal(got, want) {
		t.Errorf("foreign() = %q, want %q", got, want)
	}
}
