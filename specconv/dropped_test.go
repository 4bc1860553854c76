// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// What cannot be done is an error, and what has no effect a warning, with the field's name.
func TestNothingIsDroppedSilently(t *testing.T) {
	for _, s := range []struct {
		patch   string // members of config.json
		warning string
		fault   string
	}{
		{`"process": {"capabilities": {"effective": ["CAP_KILL"]}}`,
			"process.capabilities.effective[0]: ignoring CAP_KILL, which must also be in the permitted set", ""},
		{`"process": {"capabilities": {"permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN", "CAP_KILL", "CAP_MKNOD"]}}`,
			"process.capabilities.ambient[1]: ignoring CAP_KILL, which must also be in both the permitted and the inheritable set; " +
				"process.capabilities.ambient[2]: ignoring CAP_MKNOD, which must also be in both the permitted and the inheritable set", ""},
		{`"process": {"capabilities": {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}}`, "", ""},
		{`"process": {"capabilities": {"bounding": ["CAP_NEW"], "ambient": ["CAP_NEW"]}}`,
			`process.capabilities.bounding[0]: ignoring unknown capability "CAP_NEW"; process.capabilities.ambient[0]: ignoring unknown capability "CAP_NEW"`, ""},

		{`"mounts": [{"destination": "/c", "type": "cgroup", "source": "cgroup", "options": ["ro", "nsdelegate", "x=y"]}]`,
			`mounts[0].options[1]: "nsdelegate" has no effect on a mount of cgroups; ` +
				`mounts[0].options[2]: "x=y" has no effect on a mount of cgroups`, ""},
		{`"mounts": [{"destination": "/c", "type": "cgroup2", "options": ["lazytime"]}]`,
			`mounts[0].options[0]: "lazytime" has no effect on a mount of cgroups`, ""},
		{`"mounts": [{"destination": "/c", "source": "/x", "options": ["bind", "sync", "size=1", "silent", "async"]}]`,
			`mounts[0].options[1]: "sync" has no effect on a bind mount; mounts[0].options[2]: "size=1" has no effect on a bind mount`, ""},
		{`"mounts": [{"destination": "/c", "options": ["remount", "bind", "size=1"]}]`,
			`mounts[0].options[2]: "size=1" has no effect on a bind mount`, ""},
		{`"mounts": [{"destination": "/c", "type": "tmpfs", "options": ["sync", "size=1"]}]`, "", ""},

		{`"linux": {"devices": [{"path": "/dev/x", "type": "c", "fileMode": 4294967295}]}`, "",
			"linux.devices[0].fileMode: must be between 0 and 4095 (07777 in octal), not 4294967295"},
		{`"linux": {"devices": [{"path": "/dev/x", "type": "c", "fileMode": 69206454}]}`, "", // with Go's bits for a character device
			"linux.devices[0].fileMode: must be between 0 and 4095 (07777 in octal), not 69206454"},
		{`"linux": {"devices": [{"path": "/dev/x", "type": "c", "fileMode": 8630}, {"path": "/dev/y", "type": "b", "fileMode": 4095}]}`, "", ""},
		{`"linux": {"devices": [{"path": "/dev/x", "type": "p", "fileMode": 4096, "major": 1}]}`,
			"linux.devices[0]: major and minor have no effect on a FIFO", ""},

		{`"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_EQ"}]}]}}`,
			"linux.seccomp.syscalls[0].args[0].valueTwo: 2 has no effect with \"SCMP_CMP_EQ\"", ""},
		{`"hooks": {"poststop": [{"path": "/x", "timeout": 0}, {"path": "/x", "timeout": -1}, {"path": "/x", "timeout": 9223372036854775807}]}`, "",
			"hooks.poststop[0].timeout: must be at least 1 second, not 0; hooks.poststop[1].timeout: must be at least 1 second, not -1"},
		{`"windows": {"layerFolders": ["x"]}, "vm": {"kernel": {"path": "/x"}}`,
			"windows: has no effect on Linux; vm: has no effect on Linux", ""},
		{`"process": {"commandLine": "x", "user": {"username": "x"}}`,
			"process.commandLine: has no effect on Linux; process.user.username: has no effect on Linux", ""},
	} {
		spec, err := decodeSpec([]byte("{" + s.patch + "}"))
		if err != nil {
			t.Fatalf("%s: %v", s.patch, err)
		}
		spec.Version, spec.Root = specs.Version, &specs.Root{Path: "rootfs"}
		if p := spec.Process; p != nil {
			p.Args, p.Cwd = []string{"true"}, "/"
		}
		_, warnings, err := Compile(spec, options)
		var warned []string
		for _, w := range warnings {
			warned = append(warned, w.String())
		}
		if got := strings.Join(warned, "; "); got != s.warning {
			t.Errorf("%s: warnings\n%s, expected\n%s", s.patch, got, s.warning)
		}
		if got := strings.TrimPrefix(fmt.Sprint(err), "<nil>"); got != s.fault {
			t.Errorf("%s: error\n%s, expected\n%s", s.patch, got, s.fault)
		}
	}
}
