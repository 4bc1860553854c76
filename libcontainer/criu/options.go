// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"golang.org/x/sys/unix"
)

// Options are the options that checkpoint and restore share. Fields without a comment
// are the flags of the same name.
type Options struct {
	ImagePath      string // directory of the images, absolute
	WorkPath       string // directory of logs and sockets; empty for ImagePath
	TCPEstablished bool
	TCPClose       bool
	ExtUnixSk      bool
	ShellJob       bool
	FileLocks      bool
	AutoDedup      bool
	EmptyNetwork   bool   // --empty-ns network
	LazyPages      bool   // dump: serve pages at PageServer; restore: have `criu lazy-pages` fetch them
	CgroupsMode    string // --manage-cgroups-mode: soft, full, strict or ignore; empty for soft
	ConfigFile     string // CRIU's own configuration file; empty for none
}

// DumpOptions are the options of checkpoint.
type DumpOptions struct {
	Options
	ParentPath      string // images of the previous dump, relative to ImagePath; empty for none
	LeaveRunning    bool
	PreDump         bool
	LinkRemap       bool
	TCPSkipInFlight bool
	NetworkLock     string   // iptables, nftables or skip; empty for CRIU's default
	PageServer      string   // address of --page-server
	PageServerPort  int      // its port; 0 if there is none
	Status          *os.File // descriptor of --status-fd; nil for none

	// Catch makes the signals that would end this process write a byte each to the pipe
	// that it returns. If it is nil, they end this process.
	Catch func() (*os.File, error)
}

// RestoreOptions are the options of restore.
type RestoreOptions struct {
	Options
	LSMProfile      string // TYPE:NAME
	LSMMountContext string
}

// CgroupsMode returns an error unless name is a value of --manage-cgroups-mode.
func CgroupsMode(name string) error {
	if _, ok := cgroupsMode(name); !ok {
		return fault.With(fault.Usage, fmt.Errorf("--manage-cgroups-mode %q: must be soft, full, strict or ignore", name))
	}
	return nil
}

func cgroupsMode(name string) (rpc.CriuCgMode, bool) {
	switch name {
	case "soft", "":
		return rpc.CriuCgMode_SOFT, true
	case "full":
		return rpc.CriuCgMode_FULL, true
	case "strict":
		return rpc.CriuCgMode_STRICT, true
	case "ignore":
		return rpc.CriuCgMode_IGNORE, true
	}
	return 0, false
}

// NetworkLock returns an error unless name is a value of --network-lock.
func NetworkLock(name string) error {
	if networkLock(name) == nil && name != "" {
		return fault.With(fault.Usage, fmt.Errorf("--network-lock %q: must be iptables, nftables or skip", name))
	}
	return nil
}

func networkLock(name string) *rpc.CriuNetworkLockMethod {
	switch name {
	case "iptables":
		return ptr(rpc.CriuNetworkLockMethod_IPTABLES)
	case "nftables":
		return ptr(rpc.CriuNetworkLockMethod_NFTABLES)
	case "skip":
		return ptr(rpc.CriuNetworkLockMethod_SKIP)
	}
	return nil
}

// work returns the directory of logs.
func (o *Options) work() string {
	if o.WorkPath == "" {
		return o.ImagePath
	}
	return o.WorkPath
}

// request returns the options that dump and restore have in common.
func (o *Options) request(s *session, root, log string, work *int32) (*rpc.CriuOpts, error) {
	images, err := s.showDir(o.ImagePath)
	if err != nil {
		return nil, fmt.Errorf("--image-path: %w", err)
	}
	mode, _ := cgroupsMode(o.CgroupsMode)
	r := &rpc.CriuOpts{
		ImagesDirFd: images, WorkDirFd: work, Root: ptr(root), LogFile: ptr(log), LogLevel: ptr(int32(4)),
		ManageCgroups: ptr(true), ManageCgroupsMode: ptr(mode), NotifyScripts: ptr(true), OrphanPtsMaster: ptr(true),
		TcpEstablished: ptr(o.TCPEstablished), ExtUnixSk: ptr(o.ExtUnixSk), ShellJob: ptr(o.ShellJob),
		FileLocks: ptr(o.FileLocks), AutoDedup: ptr(o.AutoDedup), LazyPages: ptr(o.LazyPages),
	}
	if o.TCPClose {
		r.TcpClose = ptr(true)
	}
	if o.EmptyNetwork {
		r.EmptyNs = ptr(uint32(unix.CLONE_NEWNET))
	}
	if o.ConfigFile != "" {
		r.ConfigFile = ptr(o.ConfigFile)
	}
	return r, nil
}

// checkParent refuses a parent path that CRIU cannot use: its link to the parent images
// is relative to the new ones.
func (o *DumpOptions) checkParent() error {
	if o.ParentPath == "" {
		return nil
	}
	if filepath.IsAbs(o.ParentPath) {
		return fault.With(fault.Usage, fmt.Errorf("--parent-path %s: must be relative to --image-path", o.ParentPath))
	}
	st, err := os.Stat(filepath.Join(o.ImagePath, o.ParentPath))
	if err == nil && !st.IsDir() {
		err = errors.New("must be a directory")
	}
	if err != nil {
		return fmt.Errorf("--parent-path %s: %w", o.ParentPath, err)
	}
	return nil
}
