// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
)

type faults []error

func (f faults) Error() string   { return errors.Join(f...).Error() }
func (f faults) Unwrap() []error { return f }

func TestOf(t *testing.T) {
	missing := New(NoContainer, "container does not exist")
	open := &fs.PathError{Op: "open", Path: "/a/b", Err: unix.ENOENT}
	for _, c := range []struct {
		err   error
		want  Details
		text  string
		brief string
	}{
		{errors.New("x"), Details{Code: OperationFailed, Phase: Operate}, "x", "x"},
		{fmt.Errorf("state: %w: web", missing), Details{Code: NoContainer, Phase: Operate}, "state: container does not exist: web", ""},
		{fmt.Errorf("run: %w", In(Prepare, fmt.Errorf("root.path: %w", open))),
			Details{Code: NotFound, Phase: Prepare, Field: "/root/path", Errno: "ENOENT", Path: "/a/b"}, "run: root.path: open /a/b: no such file or directory", ""},
		{fmt.Errorf("create: %w", Hint(fmt.Errorf("mounts[3]: mount proc: %w", unix.EPERM), "CAP_SYS_ADMIN is needed")),
			Details{Code: NoPermission, Phase: Operate, Field: "/mounts/3", Errno: "EPERM", Hint: "CAP_SYS_ADMIN is needed"},
			"create: mounts[3]: mount proc: operation not permitted (CAP_SYS_ADMIN is needed)", "create: mounts[3]: mount proc: operation not permitted"},
		{With(InvalidConfig, faults{errors.New("process.cwd: is empty"), errors.New(`linux.sysctl["net/a"]: unknown`)}),
			Details{Code: InvalidConfig, Phase: Config, Field: "/process/cwd", Fields: []string{"/process/cwd", "/linux/sysctl/net~1a"}},
			"process.cwd: is empty\nlinux.sysctl[\"net/a\"]: unknown", ""},
		{fmt.Errorf("linux.cgroupsPath: %w; %w", unix.EBUSY, unix.ENOENT), Details{Code: OperationFailed, Phase: Operate, Field: "/linux/cgroupsPath", Errno: "EBUSY"},
			"linux.cgroupsPath: device or resource busy; no such file or directory", ""},
		// The outer code, the inner phase, and one field for one error.
		{With(HookFailed, In(Launch, fmt.Errorf("hooks.poststart[0]: %w", With(Usage, In(Hooks, errors.New("process.args: x")))))),
			Details{Code: HookFailed, Phase: Hooks, Field: "/hooks/poststart/0"}, "hooks.poststart[0]: process.args: x", ""},
		// A code may have a phase of its own.
		{With(Usage, errors.New("x")), Details{Code: Usage, Phase: Arguments}, "x", ""},
		{In(Launch, New(InvalidConfig, "x")), Details{Code: InvalidConfig, Phase: Launch}, "x", ""},
		// The name of a command is no field.
		{Prefix("mounts", missing), Details{Code: NoContainer, Phase: Operate}, "mounts: container does not exist", ""},
		{Prefix("mounts", fmt.Errorf("mounts[0].type: %w", unix.ENODEV)), Details{Code: OperationFailed, Phase: Operate, Field: "/mounts/0/type", Errno: "ENODEV"},
			"mounts: mounts[0].type: no such device", ""},
		// A field and a file that the text does not begin with.
		{About("process.args[0]", "/x", fmt.Errorf("exec: /x: %w", unix.ENOENT)), Details{Code: NotFound, Phase: Operate, Field: "/process/args/0", Errno: "ENOENT", Path: "/x"},
			"exec: /x: no such file or directory", ""},
		{About("args[0]", "", errors.New("root: x")), Details{Code: OperationFailed, Phase: Operate, Field: "/root"}, "root: x", ""},
		{errors.Join(Hint(unix.EMFILE, "a"), Hint(unix.EPERM, "b")), Details{Code: NoDescriptors, Phase: Operate, Errno: "EMFILE", Hint: "a; b"},
			"too many open files (a)\noperation not permitted (b)", "too many open files\noperation not permitted"},
		// A hint for several errors is given once.
		{errors.Join(Hint(unix.EMFILE, "a"), Hint(unix.EPERM, "a")), Details{Code: NoDescriptors, Phase: Operate, Errno: "EMFILE", Hint: "a"},
			"too many open files (a)\noperation not permitted (a)", "too many open files\noperation not permitted"},
	} {
		if got := Of(c.err); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v:\n%+v, expected\n%+v", c.err, got, c.want)
		}
		if c.err.Error() != c.text {
			t.Errorf("%q, expected %q", c.err, c.text)
		}
		if c.brief == "" {
			c.brief = c.text
		}
		if got := Brief(c.err); got != c.brief {
			t.Errorf("%q, expected %q", got, c.brief)
		}
	}
}

// What is no error stays none.
func TestNil(t *testing.T) {
	for _, err := range []error{With(Usage, nil), In(Config, nil), Hint(nil, "x"), Default(Usage, nil), Prefix("x", nil), About("x", "/x", nil)} {
		if err != nil {
			t.Errorf("%v", err)
		}
	}
	if err := unix.EPERM; Hint(err, "") != err {
		t.Error("an empty hint")
	}
}

// A default is for errors without a code.
func TestDefault(t *testing.T) {
	plain := errors.New("x")
	if code := Of(Default(CRIUFailed, plain)).Code; code != CRIUFailed {
		t.Error(code)
	}
	if code := Of(Default(CRIUFailed, fmt.Errorf("a: %w", With(Paused, plain)))).Code; code != Paused {
		t.Error(code)
	}
}

// Each code is described once.
func TestCodes(t *testing.T) {
	seen := make(map[Code]bool)
	for _, m := range Codes {
		if seen[m.Code] || m.Means == "" || m.Remedy == "" {
			t.Errorf("%+v", m)
		}
		seen[m.Code] = true
	}
	for errno := unix.Errno(0); errno < 134; errno++ {
		if code := codeOf(errno); !seen[code] {
			t.Errorf("%v: %s", errno, code)
		}
	}
}

func TestFieldOf(t *testing.T) {
	for text, want := range map[string]string{
		"mounts[0].source: x":                      "/mounts/0/source",
		"root: x":                                  "/root",
		`annotations["a.b/c~d"]: x`:                "/annotations/a.b~1c~0d",
		`annotations["a\"]: b\\"]: x`:              `/annotations/a"]: b\`,
		`annotations["a: x`:                        "",
		`annotations["a": x`:                       "",
		`linux.resources.rdma["mlx5_1"].hca: x`:    "/linux/resources/rdma/mlx5_1/hca",
		"linux.resources.memory.limit: 5: too low": "/linux/resources/memory/limit",
		"root cgroup: x":                           "",
		"process 5: x":                             "",
		"process":                                  "",
		"mounts[x]: y":                             "",
		"mounts[0: y":                              "",
		"mounts.: y":                               "",
		"exec: \"x\": y":                           "",
		"linux.seccomp.a b: c":                     "",
		"":                                         "",
	} {
		if got := fieldOf(text); got != want {
			t.Errorf("%q: %q, expected %q", text, got, want)
		}
	}
}
