// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"os"
	"os/exec"
	"slices"
	"testing"
)

func TestPidNumbers(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []int
	}{
		{"own namespace", "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nPid:\t42\nNSpid:\t42\n", []int{42}},
		{"the first of one below", "Pid:\t42\nNSpid:\t42\t1\n", []int{42, 1}},
		{"two below", "Pid:\t42\nNSpid:\t42\t7\t1\n", []int{42, 7, 1}},
		{"not seen from there", "Pid:\t0\nNSpid:\t0\n", nil},
		{"reaped", "Pid:\t-1\nNSpid:\t-1\n", nil},
		{"no pid namespaces", "pos:\t0\nPid:\t42\n", []int{42}},
		{"no pidfd", "pos:\t0\nflags:\t02\n", nil},
		{"empty", "", nil},
	} {
		if have := pidNumbers(c.text); !slices.Equal(have, c.want) {
			t.Errorf("%s: %v, expected %v", c.name, have, c.want)
		}
	}
}

func TestPidfdOfProcess(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a, err := Pidfd(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Pidfd(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	own, err := Pidfd(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if PidfdInode(a) != PidfdInode(b) {
		t.Errorf("one process has the inodes %d and %d", PidfdInode(a), PidfdInode(b))
	}
	if n := PidfdInode(a); n != 0 && n == PidfdInode(own) {
		t.Errorf("two processes have the inode %d", n)
	}
	if n := PidfdInProc(a); n != cmd.Process.Pid {
		t.Errorf("number in /proc: %d, expected %d", n, cmd.Process.Pid)
	}
	if ended, err := PidfdEnded(a); err != nil || ended {
		t.Errorf("while it runs: ended %v, %v", ended, err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if ended, err := PidfdEnded(a); err != nil || !ended {
		t.Errorf("when it was reaped: ended %v, %v", ended, err)
	}
	if n := PidfdInProc(a); n != 0 {
		t.Errorf("number in /proc when it was reaped: %d", n)
	}
}
