package criu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// Options are those of checkpoint and restore alike. Their names are those of
// the flags.
type Options struct {
	ImagePath      string // directory of the images, absolute
	WorkPath       string // directory of logs and sockets; empty: ImagePath
	TCPEstablished bool
	TCPClose       bool
	ExtUnixSk      bool
	ShellJob       bool
	FileLocks      bool
	AutoDedup      bool
	EmptyNetwork   bool // --empty-ns network
	LazyPages      bool // dump: serve pages at PageServer; restore: have `criu lazy-pages` fetch them
	CgroupsMode    string
	ConfigFile     string // CRIU's own configuration; empty: none
}

// DumpOptions are those of checkpoint.
type DumpOptions struct {
	Options
	ParentPath      string // relative to ImagePath
	LeaveRunning    bool
	PreDump         bool
	LinkRemap       bool
	TCPSkipInFlight bool
	NetworkLock     string   // iptables, nftables or skip; empty: CRIU's choice
	PageServer      string   // ADDR
	PageServerPort  int      // its port
	Status          *os.File // of --status-fd; nil: none

	// Catch has the signals that would end this process written to a pipe, a
	// byte each, from here on; nil: they end it.
	Catch func() (*os.File, error)
}

// RestoreOptions are those of restore.
type RestoreOptions struct {
	Options
	LSMProfile      string // TYPE:NAME
	LSMMountContext string
}

// CgroupsMode checks a value of --manage-cgroups-mode.
func CgroupsMode(name string) error {
	if _, ok := cgroupsMode(name); !ok {
		return fmt.Errorf("--manage-cgroups-mode %q: must be soft, full, strict or ignore", name)
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

// NetworkLock checks a value of --network-lock.
func NetworkLock(name string) error {
	if networkLock(name) == nil && name != "" {
		return fmt.Errorf("--network-lock %q: must be iptables, nftables or skip", name)
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

// work is the directory of logs.
func (o *Options) work() string {
	if o.WorkPath == "" {
		return o.ImagePath
	}
	return o.WorkPath
}

// request is what dump and restore have in common.
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

// checkParent refuses what CRIU cannot use: the link to the parent images is
// relative to the new ones.
func (o *DumpOptions) checkParent() error {
	if o.ParentPath == "" {
		return nil
	}
	if filepath.IsAbs(o.ParentPath) {
		return fmt.Errorf("--parent-path %s: must be relative to --image-path", o.ParentPath)
	}
	st, err := os.Stat(filepath.Join(o.ImagePath, o.ParentPath))
	if err == nil && !st.IsDir() {
		err = errors.New("is not a directory")
	}
	if err != nil {
		return fmt.Errorf("--parent-path %s: %w", o.ParentPath, err)
	}
	return nil
}
