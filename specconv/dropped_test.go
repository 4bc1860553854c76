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
			"process.capabilities.effective[0]: CAP_KILL cannot be granted, as it is not in permitted: it is left out", ""},
		{`"process": {"capabilities": {"permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN", "CAP_KILL", "CAP_MKNOD"]}}`,
			"process.capabilities.ambient[1]: CAP_KILL cannot be granted, as it is not in both permitted and inheritable: it is left out; " +
				"process.capabilities.ambient[2]: CAP_MKNOD cannot be granted, as it is not in both permitted and inheritable: it is left out", ""},
		{`"process": {"capabilities": {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"], "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}}`, "", ""},
		{`"process": {"capabilities": {"bounding": ["CAP_NEW"], "ambient": ["CAP_NEW"]}}`,
			`process.capabilities.bounding[0]: unknown capability "CAP_NEW" is left out; process.capabilities.ambient[0]: unknown capability "CAP_NEW" is left out`, ""},

		{`"mounts": [{"destination": "/c", "type": "cgroup", "source": "cgroup", "options": ["ro", "nsdelegate", "x=y"]}]`,
			`mounts[0].options[1]: "nsdelegate" is no option of the container's mount of cgroups: it has no effect; ` +
				`mounts[0].options[2]: "x=y" is no option of the container's mount of cgroups: it has no effect`, ""},
		{`"mounts": [{"destination": "/c", "type": "cgroup2", "options": ["lazytime"]}]`,
			`mounts[0].options[0]: "lazytime" is no option of the container's mount of cgroups: it has no effect`, ""},
		{`"mounts": [{"destination": "/c", "source": "/x", "options": ["bind", "sync", "size=1", "silent", "async"]}]`,
			`mounts[0].options[1]: "sync" is no option of a bind mount: it has no effect; mounts[0].options[2]: "size=1" is no option of a bind mount: it has no effect`, ""},
		{`"mounts": [{"destination": "/c", "options": ["remount", "bind", "size=1"]}]`,
			`mounts[0].options[2]: "size=1" is no option of a bind mount: it has no effect`, ""},
		{`"mounts": [{"destination": "/c", "type": "tmpfs", "options": ["sync", "size=1"]}]`, "", ""},

		{`"linux": {"devices": [{"path": "/dev/x", "type": "c", "fileMode": 4294967295}]}`, "",
			"linux.devices[0].fileMode: 4294967295 must be from 0 to 4095 (07777 in octal)"},
		{`"linux": {"devices": [{"path": "/dev/x", "type": "c", "fileMode": 69206454}]}`, "", // with Go's bits for a character device
			"linux.devices[0].fileMode: 69206454 must be from 0 to 4095 (07777 in octal)"},
		{`"linux": {"devices": [{"path": "/dev/x", "type": "c", "fileMode": 8630}, {"path": "/dev/y", "type": "b", "fileMode": 4095}]}`, "", ""},
		{`"linux": {"devices": [{"path": "/dev/x", "type": "p", "fileMode": 4096, "major": 1}]}`,
			"linux.devices[0]: a FIFO has no major and minor number: they have no effect", ""},

		{`"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_EQ"}]}]}}`,
			"linux.seccomp.syscalls[0].args[0].valueTwo: 2 has no effect with \"SCMP_CMP_EQ\"", ""},
		{`"hooks": {"poststop": [{"path": "/x", "timeout": 0}, {"path": "/x", "timeout": -1}, {"path": "/x", "timeout": 9223372036854775807}]}`, "",
			"hooks.poststop[0].timeout: 0 must be greater than 0 (seconds); hooks.poststop[1].timeout: -1 must be greater than 0 (seconds)"},
		{`"windows": {"layerFolders": ["x"]}, "vm": {"kernel": {"path": "/x"}}`,
			"windows: is not for Linux: it has no effect; vm: is not for Linux: it has no effect", ""},
		{`"process": {"commandLine": "x", "user": {"username": "x"}}`,
			"process.commandLine: is not for Linux: it has no effect; process.user.username: is not for Linux: it has no effect", ""},
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
