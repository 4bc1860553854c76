// SPDX-License-Identifier: Apache-2.0

// Sdnotify sends messages to $NOTIFY_SOCKET, for the scripts. Each argument is a message,
// except for these:
//
//	barrier    wait until the manager has read everything so far, and print the result
//	fd=FILE    send FILE's descriptor with the next message
//	sleep=1s   wait
//	wait=FILE  wait until FILE exists
//	lock=FILE  take the lock of flock(2) on FILE, and keep it
//	attack=DIR try to change DIR and its contents, and print what succeeded
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sdnotify:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(s, &unix.SockaddrUnix{Name: os.Getenv("NOTIFY_SOCKET")}); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	var fds []int
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "barrier":
			err = barrier(s)
		case "fd":
			fd, openErr := unix.Open(value, unix.O_RDONLY, 0)
			fds, err = append(fds, fd), openErr
		case "sleep":
			d, parseErr := time.ParseDuration(value)
			time.Sleep(d)
			err = parseErr
		case "wait":
			for unix.Access(value, unix.F_OK) != nil {
				time.Sleep(20 * time.Millisecond)
			}
		case "lock":
			err = lock(value)
		case "attack":
			attack(value)
		default:
			err = send(s, arg, fds...)
			fds = nil
		}
		if err != nil {
			return fmt.Errorf("%q: %w", arg, err)
		}
	}
	return nil
}

func lock(file string) error {
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return err
	}
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
}

func send(s int, text string, fds ...int) error {
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	return unix.Sendmsg(s, []byte(text), oob, nil, 0)
}

func barrier(s int) error {
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		return err
	}
	if err := send(s, "BARRIER=1", p[1]); err != nil {
		return err
	}
	unix.Close(p[1])
	n, err := unix.Read(p[0], make([]byte, 1))
	fmt.Println("barrier", n, err)
	return err
}
