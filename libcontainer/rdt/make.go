// SPDX-License-Identifier: Apache-2.0

package rdt

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// Make makes the groups that do not exist, and writes the class's schemata. After an
// error, call [Group.Undo].
func (g *Group) Make() error {
	if g.Made {
		if err := g.tree.mkdir(g.Class); err != nil {
			g.Made = false // Undo must not remove another's class
			return g.failed("closID", "make the class of service "+g.Class, err)
		}
	}
	for _, s := range g.schemata {
		if err := write(filepath.Join(g.Class, "schemata"), s+"\n"); err != nil {
			return g.failed("", fmt.Sprintf("write %q to the schemata of %s", s, g.Class), err)
		}
	}
	if g.Monitor == "" {
		return nil
	}
	if err := g.tree.mkdir(g.Monitor); err != nil {
		err = g.failed("enableMonitoring", "create the monitoring group "+g.Monitor, err)
		g.Monitor = ""
		return err
	}
	return nil
}

// failed returns an error that names the member of linux.intelRdt and adds resctrl's
// explanation, if there is one (info/last_cmd_status).
func (g *Group) failed(member, what string, err error) error {
	name := field
	if member != "" {
		name += "." + member
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	err = fmt.Errorf("%s: %s: %w", name, what, err)
	status, readErr := sys.ReadFile(filepath.Join(g.tree.mount, "info/last_cmd_status"))
	if text := strings.TrimSpace(string(status)); readErr == nil && text != "" && text != "ok" {
		err = fault.Hint(err, text)
	}
	return err
}

// Undo removes what [Group.Make] has made. It may be called again.
func (g *Group) Undo() error {
	return g.tree.remove(g.Monitor, g.madeClass())
}

func (g *Group) madeClass() string {
	if g.Made {
		return g.Class
	}
	return ""
}

// Remove removes what belongs to a container: its monitoring group, and a class that
// was made with the container's id as its name. Each may be empty, or may no longer
// exist.
func Remove(class, monitor string) error { return kernelTree("").remove(monitor, class) }

func (t *tree) remove(paths ...string) error {
	for _, p := range paths {
		if p == "" {
			continue
		}
		if err := t.rmdir(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: remove %s: %w", field, p, err)
		}
	}
	return nil
}

// Join moves the single-threaded process pid into the class, and then into the
// monitoring group, which only a member of the class may join. Each may be empty.
func Join(class, monitor string, pid int) error {
	for _, dir := range [...]string{class, monitor} {
		if dir == "" {
			continue
		}
		if err := write(filepath.Join(dir, "tasks"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("%s: move process %d to %s: %w", field, pid, dir, err)
		}
	}
	return nil
}

// write writes text to an existing file, in one write.
func write(path, text string) (err error) {
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "write", fmt.Sprintf("%s %q", path, text)) }()
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err = unix.Write(fd, []byte(text)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
