// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
)

// Dump describes a checkpoint to make.
type Dump struct {
	*DumpOptions
	Pid      int      // of the container's first process, in the runtime's pid namespace
	Root     string   // the container's root on the host
	Freezer  string   // cgroup directory that CRIU freezes; if empty, it stops each process
	Mounts   []Mount  // external mounts
	External []string // other external resources, in CRIU's form: net[INODE]:KEY

	Serving func() // called when the images are complete and the page server of LazyPages is ready
}

// Mount is an external mount: CRIU does not dump it, and restore gets it from the host.
type Mount struct {
	Point string // mount point in the container
	Name  string // CRIU's key, by which restore finds it
}

// Run makes the checkpoint. With LazyPages it returns when all pages have been served.
func (d *Dump) Run() error {
	const log = "dump.log"
	if err := os.MkdirAll(d.ImagePath, 0o700); err != nil {
		return fmt.Errorf("--image-path: %w", err)
	}
	if err := d.checkParent(); err != nil {
		return err
	}
	if err := checkKnown(d.needs()); err != nil {
		return err
	}
	if d.LazyPages {
		if err := checkServe(); err != nil {
			return err
		}
	}
	var s session
	s.notify = func(n Notice) error { return d.notified(&s, n) }
	defer s.close()
	work, err := s.showWork(&d.Options)
	if err != nil {
		return err
	}
	opts, err := d.request(&s, d.Root, log, work)
	if err != nil {
		return err
	}
	d.add(opts)
	_ = os.Remove(filepath.Join(d.work(), log)) // an old log would mislead explain
	kind := rpc.CriuReqType_DUMP
	if d.PreDump { // after a PRE_DUMP, CRIU waits for a request to dump, and fails without one
		kind = rpc.CriuReqType_SINGLE_PRE_DUMP
	}
	if d.Catch != nil {
		if s.signals, err = d.Catch(); err != nil {
			return err
		}
		defer s.signals.Close()
	}
	if _, err := s.do(&rpc.CriuReq{Type: &kind, Opts: opts}); err != nil {
		return s.explain(err, d.work(), log)
	}
	return nil
}

func (d *Dump) notified(s *session, n Notice) error {
	if n.File != nil {
		n.File.Close()
	}
	if n.Script == "status-ready" && d.LazyPages {
		s.first = d.Pid
		d.Serving()
	}
	return nil
}

// add sets the options that only a dump has.
func (d *Dump) add(o *rpc.CriuOpts) {
	o.Pid = ptr(int32(d.Pid))
	o.LeaveRunning = ptr(d.LeaveRunning)
	o.LinkRemap = ptr(d.LinkRemap)
	o.TcpSkipInFlight = ptr(d.TCPSkipInFlight)
	o.NetworkLock = networkLock(d.NetworkLock)
	o.ExtMasters = ptr(true)
	o.External = d.External
	if d.Freezer != "" {
		o.FreezeCgroup = ptr(d.Freezer)
	}
	if d.ParentPath != "" {
		o.ParentImg = ptr(d.ParentPath)
	}
	if d.PreDump || d.ParentPath != "" {
		o.TrackMem = ptr(true)
	}
	if d.PageServerPort != 0 {
		o.Ps = &rpc.CriuPageServerInfo{Address: ptr(d.PageServer), Port: ptr(int32(d.PageServerPort))}
	}
	if d.Status != nil {
		o.StatusFd = show(d.Status)
	}
	for _, m := range d.Mounts {
		o.ExtMnt = append(o.ExtMnt, &rpc.ExtMountMap{Key: ptr(m.Point), Val: ptr(m.Name)})
	}
}
