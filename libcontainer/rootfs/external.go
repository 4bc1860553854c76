package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// External lists the mounts whose contents are not the container's own: binds,
// of which a checkpoint has the place alone.
func External(r plan.Rootfs, view CgroupView) (list []plan.Mount) {
	t := &Tree{Setting: Setting{Cgroup: view}, plan: r}
	for _, m := range t.expandCgroups(r.Mounts) {
		if m.Bind && !m.Remount && copiedLink(&m.Mount) == "" {
			list = append(list, m.Mount)
		}
	}
	return list
}

// HostNodes lists the nodes of the host that stand for the devices in a user
// namespace; an error if one of them is another device, or missing.
func HostNodes(devices []plan.Device) (paths []string, err error) {
	for i := range devices {
		d := &devices[i]
		f, err := openNode(d)
		if err != nil {
			return nil, err
		}
		f.Close()
		if d.Mode&unix.S_IFMT != unix.S_IFIFO {
			paths = append(paths, d.Path)
		}
	}
	return paths, nil
}

// Point finds where destination is in the directory root, an empty rootfs:
// symlinks are followed inside, as when the container was made.
func Point(root *os.File, destination string) (string, error) {
	f, err := sys.OpenIn(root, destination, unix.O_PATH)
	if err != nil {
		return "", err
	}
	defer f.Close()
	top, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", root.Fd()))
	if err != nil {
		return "", err
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(top, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("%s is not below %s", path, top)
	}
	return filepath.Join("/", rel), nil
}

// MakePoints makes what is missing in the rootfs of the places for mounts,
// without mounting anything: a restore mounts by itself. What lies on another
// mount of the container is in the checkpoint.
func MakePoints(r plan.Rootfs) error {
	root, err := os.OpenRoot(r.Path)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	defer root.Close()
	for i := range r.Mounts {
		m := &r.Mounts[i]
		if covered(r.Mounts[:i], m.Destination) {
			continue
		}
		if err := makePoint(root, m); err != nil {
			return fmt.Errorf("%s.destination: %w", m.Field, err)
		}
	}
	if r.Readonly {
		// CRIU, too, changes the root by pivot_root, and when it is read-only
		// already puts the old one on a tmpfs here.
		if err := root.Mkdir("tmp", 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("root.path: CRIU needs a directory tmp in a read-only root: %w", err)
		}
	}
	return nil
}

// covered tells whether destination lies below one of the mounts.
func covered(mounts []plan.Mount, destination string) bool {
	for i := range mounts {
		if strings.HasPrefix(destination, strings.TrimSuffix(mounts[i].Destination, "/")+"/") {
			return true
		}
	}
	return false
}

func makePoint(root *os.Root, m *plan.Mount) error {
	name := strings.TrimPrefix(m.Destination, "/")
	top, err := root.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	if f, err := sys.OpenIn(top, m.Destination, unix.O_PATH); err == nil || !errors.Is(err, unix.ENOENT) {
		if err == nil {
			f.Close()
		}
		return err
	}
	target := copiedLink(m)
	if target == "" && (!m.Bind || isDir(m.Source)) {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if target != "" {
		if err := root.Symlink(target, name); !errors.Is(err, os.ErrExist) {
			return err
		}
		return nil
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_RDONLY, 0o755)
	if err != nil {
		return err
	}
	return f.Close()
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
