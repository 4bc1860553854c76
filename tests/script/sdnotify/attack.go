// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// attack tries to change a directory and its contents in all possible ways, and prints
// which succeeded.
func attack(dir string) {
	times := []unix.Timespec{{Sec: 1}, {Sec: 1}}
	tried := map[string]error{
		"remount": unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, ""),
		"write":   create(filepath.Join(dir, "file")),
		"mkdir":   unix.Mkdir(filepath.Join(dir, "dir"), 0o777),
		"symlink": unix.Symlink("/", filepath.Join(dir, "link")),
		"mknod":   unix.Mknod(filepath.Join(dir, "node"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))),
		"rename":  unix.Rename(dir, dir+".old"),
		"rmdir":   unix.Rmdir(dir),
	}
	inside, _ := filepath.Glob(dir + "/*")
	for _, path := range append([]string{dir}, inside...) {
		tried["chmod "+path] = unix.Chmod(path, 0o7777)
		tried["chown "+path] = unix.Lchown(path, 1000, 1000)
		tried["utimes "+path] = unix.UtimesNanoAt(unix.AT_FDCWD, path, times, unix.AT_SYMLINK_NOFOLLOW)
		tried["setxattr trusted "+path] = unix.Lsetxattr(path, "trusted.x", []byte("x"), 0)
		tried["setxattr user "+path] = unix.Lsetxattr(path, "user.x", []byte("x"), 0)
		tried["acl "+path] = unix.Lsetxattr(path, "system.posix_acl_access", []byte{2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 4, 0, 7, 0, 255, 255, 255, 255, 32, 0, 7, 0, 255, 255, 255, 255}, 0)
	}
	for _, path := range inside {
		tried["link "+path] = unix.Link(path, path+".2")
		tried["rename "+path] = unix.Rename(path, path+".old")
		tried["unlink "+path] = unix.Unlink(path)
	}
	fmt.Println("tried", len(tried))
	for what, err := range tried {
		if err == nil {
			fmt.Println("succeeded:", what)
		}
	}
}

func create(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT, 0o666)
	if err == nil {
		unix.Close(fd)
	}
	return err
}
