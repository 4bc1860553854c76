// SPDX-License-Identifier: Apache-2.0

// Package lsm makes the operations that give the user's program its AppArmor
// profile and its SELinux label, and checks whether the host has these modules.
//
// A label takes effect at the next execve(2) of the child. A forked process inherits
// the setting, so that startContainer hooks get the label as well. It is written to
// an attribute file on a procfs of the child's own, since a path in the container's
// /proc may lead to another file (CVE-2019-16884, CVE-2025-52881).
package lsm

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Unconfined is the AppArmor profile that confines nothing. It is not an error on a
// host without AppArmor, where it is not written.
const Unconfined = "unconfined"

// host is access to the files of a host; tests have their own.
type host struct {
	read   func(path string) ([]byte, error)
	write  func(path string, b []byte) error
	fsType func(path string) int64 // f_type of statfs(2); 0 on error
}

var kernel = host{sys.ReadFile, func(path string, b []byte) error { return os.WriteFile(path, b, 0) }, fsType}

func fsType(path string) int64 {
	var st unix.Statfs_t
	if unix.Statfs(path, &st) != nil {
		return 0
	}
	return int64(st.Type)
}

// Check refuses labels that the host does not support.
func Check(l *plan.Launch) error { return kernel.check(l) }

func (h *host) check(l *plan.Launch) error {
	p := &l.Process
	_, mountLabel, _ := strings.Cut(l.Rootfs.MountLabel, "=")
	var err error
	if p.AppArmor != "" && p.AppArmor != Unconfined && !h.appArmor() {
		err = fault.With(fault.NotSupported, fmt.Errorf("%s: %q: AppArmor is not enabled on this host", field(p, "apparmorProfile"), p.AppArmor))
	}
	return errors.Join(err, h.checkLabel(field(p, "selinuxLabel"), p.SELinux), h.checkLabel("linux.mountLabel", mountLabel))
}

// checkLabel refuses a label that SELinux's policy does not know. A mount with it
// would fail with EINVAL, which does not say why.
func (h *host) checkLabel(field, label string) error {
	if label == "" {
		return nil
	}
	if !h.selinux() {
		return fault.With(fault.NotSupported, fmt.Errorf("%s: %q: SELinux is not enabled on this host", field, label))
	}
	// Other errors do not mean that the label is wrong: the policy may deny the check.
	if err := h.write("/sys/fs/selinux/context", []byte(label)); errors.Is(err, unix.EINVAL) {
		return fault.With(fault.InvalidConfig, fmt.Errorf("%s: %q is not a valid label in the SELinux policy of this host", field, label))
	}
	return nil
}

// AppArmor reports whether AppArmor is enabled.
func AppArmor() bool { return kernel.appArmor() }

func (h *host) appArmor() bool {
	b, err := h.read("/sys/module/apparmor/parameters/enabled")
	return err == nil && len(b) > 0 && b[0] == 'Y'
}

// SELinux reports whether SELinux is enabled. As in libselinux, it is if its file
// system is mounted.
func SELinux() bool { return kernel.selinux() }

func (h *host) selinux() bool { return h.fsType("/sys/fs/selinux") == unix.SELINUX_MAGIC }

// Labels are the labels of one process, for which operations are made.
type Labels []label

type label struct {
	slot  program.Slot
	value string
	files []string // attribute files, the preferred one first
	field string
}

// New returns the labels of a process; nil if it has none. appArmor reports whether
// AppArmor is enabled.
func New(proc *plan.Process, appArmor func() bool) (l Labels) {
	if name := proc.AppArmor; name != "" && (name != Unconfined || appArmor()) {
		l = append(l, label{
			value: "exec " + name, field: field(proc, "apparmorProfile"),
			// The second is shared by all LSMs, and is the only one before Linux 5.8.
			files: []string{"self/attr/apparmor/exec", "self/attr/exec"},
		})
	}
	if proc.SELinux != "" {
		l = append(l, label{value: proc.SELinux, field: field(proc, "selinuxLabel"), files: []string{"self/attr/exec"}})
	}
	return l
}

// Open adds the operations that open the attribute files. The child must still be
// root for that.
func (l Labels) Open(p *program.Program) {
	for i := range l {
		l[i].slot = p.NewSlot()
		p.Add(l[i].field, program.Attr{Out: l[i].slot, Files: l[i].files})
	}
}

// Write adds the operations that write the labels.
func (l Labels) Write(p *program.Program) {
	for i := range l {
		p.Add(l[i].field, program.Label{File: l[i].slot, Value: l[i].value})
	}
}

// ForKeys calls add between operations that set the label of new keys to that of the
// process, and reset it. If the session keyring had the runtime's label, the policy
// would deny the process access to it.
func ForKeys(p *program.Program, proc *plan.Process, add func()) {
	if proc.SELinux == "" {
		add()
		return
	}
	file, field := p.NewSlot(), field(proc, "selinuxLabel")
	p.Add(field, program.Attr{Out: file, Files: []string{"self/attr/keycreate"}})
	p.Add(field, program.Label{File: file, Value: proc.SELinux})
	add()
	p.Add(field, program.Label{File: file, Value: "\n"}) // the kernel's default again
	p.Add("", program.Close{File: file})
}

// Restored refuses a restored process, before it goes on, if it has lost its label. A
// CRIU that was built without support for a security module leaves the process with
// CRIU's own label, and does not report it.
func Restored(pid int, proc *plan.Process) error { return kernel.restored(pid, proc) }

func (h *host) restored(pid int, proc *plan.Process) error {
	for _, l := range []struct {
		want, field string
		files       []string // the preferred one first, below /proc/PID/attr
	}{
		{proc.AppArmor, "apparmorProfile", []string{"apparmor/current", "current"}},
		{proc.SELinux, "selinuxLabel", []string{"current"}},
	} {
		if l.want == "" || l.want == Unconfined {
			continue
		}
		is, err := h.current(strconv.Itoa(pid), l.files)
		if err != nil {
			return fmt.Errorf("%s: %w", field(proc, l.field), err)
		}
		own, err := h.current("self", l.files)
		if err != nil {
			return fmt.Errorf("%s: %w", field(proc, l.field), err)
		}
		if is == own && is != l.want {
			return fault.With(fault.CRIUFailed, fmt.Errorf("%s: CRIU restored the process with the label %s instead of %s: it was built without support for this security module",
				field(proc, l.field), is, l.want))
		}
	}
	return nil
}

// current reads the label of a process, and removes AppArmor's mode ("name (enforce)").
func (h *host) current(process string, files []string) (string, error) {
	var b []byte
	err := error(unix.ENOENT)
	for i := 0; i < len(files) && errors.Is(err, unix.ENOENT); i++ {
		b, err = h.read("/proc/" + process + "/attr/" + files[i])
	}
	label, _, _ := strings.Cut(strings.TrimRight(string(b), "\n\x00"), " (")
	return label, err
}

func field(p *plan.Process, name string) string { return plan.Under(p.Field, name) }
