// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/cred"
	"github.com/skiff-oci/skiff/libcontainer/rootfs"
	"github.com/skiff-oci/skiff/libcontainer/seccomp"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/skiff-oci/skiff/tests/growth"
	"golang.org/x/sys/unix"
)

// TestGrowth reads, compiles, binds and encodes configurations that have much of
// something. In each, ITEMS stands for elements of a list or members of an object, in
// which # is a number.
func TestGrowth(t *testing.T) {
	for name, test := range map[string]struct {
		n      int
		config string
		items  []string // of each number the first, then of each the second ...
	}{
		"environment":         {5000, `{"process": {"env": [ITEMS]}}`, []string{`"NAME_#=value"`}},
		"environment, twice":  {3000, `{"process": {"env": [ITEMS]}}`, []string{`"NAME_#=value"`, `"NAME_#=other"`}},
		"arguments":           {5000, `{"process": {"args": ["true", ITEMS]}}`, []string{`"argument #"`}},
		"groups":              {5000, `{"process": {"user": {"additionalGids": [ITEMS]}}}`, []string{`#`}},
		"new file systems":    {1000, `{"mounts+": [ITEMS]}`, []string{`{"destination": "/m/#", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=1m"]}`}},
		"binds":               {1000, `{"mounts+": [ITEMS]}`, []string{`{"destination": "/m/#", "source": "/source/#", "options": ["rbind", "ro", "rprivate"]}`}},
		"binds of the rootfs": {1000, `{"mounts+": [ITEMS]}`, []string{`{"destination": "/m/#", "source": "/bundle/rootfs/#", "options": ["bind"]}`}},
		"remounts": {1000, `{"mounts+": [ITEMS]}`, []string{
			`{"destination": "/m/#", "source": "/source", "options": ["bind"]}`, `{"destination": "/m/#", "options": ["bind", "remount", "ro"]}`}},
		"idmapped mounts": {1000, `{"mounts+": [ITEMS]}`, []string{`{"destination": "/m/#", "source": "/source", "options": ["bind", "idmap"],
			"uidMappings": [{"containerID": 0, "hostID": #, "size": 9}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 9}]}`}},
		"devices":          {2000, `{"linux": {"devices": [ITEMS]}}`, []string{`{"path": "/dev/d#", "type": "c", "major": 1, "minor": 3}`}},
		"device rules":     {2000, `{"linux": {"resources": {"devices": [ITEMS]}}}`, []string{`{"allow": true, "type": "c", "major": 1, "minor": #, "access": "rw"}`}},
		"masked paths":     {3000, `{"linux": {"maskedPaths": [ITEMS]}}`, []string{`"/a/#"`}},
		"read-only paths":  {3000, `{"linux": {"readonlyPaths": [ITEMS]}}`, []string{`"/a/#"`}},
		"parameters":       {3000, `{"linux": {"sysctl": {ITEMS}}}`, []string{`"net.a#": "1"`}},
		"annotations":      {5000, `{"annotations": {ITEMS}}`, []string{`"com.example.#": "value"`}},
		"hugepage limits":  {3000, `{"linux": {"resources": {"hugepageLimits": [ITEMS]}}}`, []string{`{"pageSize": "#MB", "limit": 1}`}},
		"files of cgroups": {3000, `{"linux": {"resources": {"unified": {ITEMS}}}}`, []string{`"memory.a#": "1"`}},
		"hooks":            {1000, `{"hooks": {"createContainer": [ITEMS]}}`, []string{`{"path": "/bin/hook", "args": ["hook", "#"]}`}},
		"seccomp rules":    {2000, `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ITEMS]}}}`, []string{`{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": #, "op": "SCMP_CMP_EQ"}]}`}},
		"system calls":     {5000, `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ERRNO", "names": [ITEMS]}]}}}`, []string{`"call#"`}},
		"unknown members":  {5000, `{"extension": {"a": 1}, ITEMS}`, []string{`"unknown#": [#, {"a": "b"}]`}},
	} {
		t.Run(name, func(t *testing.T) {
			growth.Linear(t, test.n, func(n int) func() {
				var items []string
				for _, item := range test.items {
					for i := range n {
						items = append(items, strings.ReplaceAll(item, "#", fmt.Sprint(i)))
					}
				}
				raw := changed(t, strings.Replace(test.config, "ITEMS", strings.Join(items, ","), 1))
				return func() {
					if err := encode(raw); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// changed returns the text of the example with a change.
func changed(t *testing.T, change string) []byte {
	t.Helper()
	var doc, with map[string]any
	text, err := json.Marshal(specconv.Example(false))
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	if err == nil {
		err = json.Unmarshal([]byte(change), &with)
	}
	if err != nil {
		t.Fatal(err)
	}
	merge(doc, with)
	if text, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	return text
}

// encode makes the program of a configuration.
func encode(raw []byte) error {
	spec, err := specconv.Decode(raw)
	if err != nil {
		return err
	}
	l, _, err := specconv.Compile(spec, specconv.Options{ID: "web", Bundle: "/bundle"})
	if err != nil {
		return err
	}
	b, err := bind(&Request{Launch: l, Hold: true, Warn: func(string, ...any) {}}, Facts{
		Caps:     cred.All,
		AppArmor: func() bool { return true },
		Files: rootfs.Host{
			Findable: func(string, bool) bool { return true },
			Readlink: func(string) (string, error) { return "", os.ErrInvalid },
			Exists:   func(string) bool { return true },
		},
		Limit:  func(int) (uint64, uint64, error) { return 1024, unix.RLIM_INFINITY, nil },
		Filter: func(*Request) (*seccomp.Filter, error) { return &seccomp.Filter{BPF: make([]byte, 16)}, nil },
	})
	if err != nil {
		return err
	}
	b.left()
	b.prog.Script()
	_, err = b.prog.Encode()
	return err
}
