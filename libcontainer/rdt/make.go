package rdt

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// Make makes the groups that are not there, and sets the class's schemata.
// After an error [Group.Undo] is to be called.
func (g *Group) Make() error {
	if g.Made {
		if err := g.tree.mkdir(g.Class); err != nil {
			g.Made = false // and nothing of ours to remove
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
		err = g.failed("enableMonitoring", "make the monitoring group "+g.Monitor, err)
		g.Monitor = ""
		return err
	}
	return nil
}

// failed adds what resctrl has to say beyond an errno.
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
		err = fmt.Errorf("%w (%s)", err, text)
	}
	return err
}

// Undo removes what [Group.Make] has made.
func (g *Group) Undo() error {
	return g.tree.remove(g.Monitor, g.made())
}

func (g *Group) made() string {
	if g.Made {
		return g.Class
	}
	return ""
}

// Remove removes what goes with the container: its monitoring group, and a
// class that was made under the container's name. Each may be empty, or gone.
func Remove(class, monitor string) error { return kernel("").remove(monitor, class) }

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

// Join puts the process pid, of one thread, into the class and, as only a
// member of the class may join it, then into the monitoring group.
func Join(class, monitor string, pid int) error {
	for _, dir := range [...]string{class, monitor} {
		if dir == "" {
			continue
		}
		if err := write(filepath.Join(dir, "tasks"), strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("%s: put process %d into %s: %w", field, pid, dir, err)
		}
	}
	return nil
}

// write writes to a file that is there.
func write(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
