// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bfqDevice returns the number ("7:3") of a loop device with the scheduler BFQ, the
// only one that has weights. It returns "" if the host cannot have such a device.
func bfqDevice(t *testing.T) string {
	t.Helper()
	_ = exec.Command("modprobe", "-q", "-a", "loop", "bfq").Run() // in case they are modules
	number, err := tryBFQ(t)
	if err != nil {
		t.Logf("no block device with the scheduler BFQ: %v", err)
		return ""
	}
	return number
}

func tryBFQ(t *testing.T) (string, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		return "", err
	}
	image, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		return "", err
	}
	defer image.Close()
	if err := image.Truncate(1 << 20); err != nil {
		return "", err
	}
	loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	t.Cleanup(func() { loop.Close() }) // which removes the device
	config := unix.LoopConfig{Fd: uint32(image.Fd())}
	config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
	if err := unix.IoctlLoopConfigure(int(loop.Fd()), &config); err != nil {
		return "", err
	}
	dir := fmt.Sprintf("/sys/block/loop%d", n)
	if err := setScheduler(t, dir+"/queue/scheduler"); err != nil {
		return "", err
	}
	return readFile(t, dir, "dev"), nil
}

// setScheduler sets the scheduler to BFQ until the test ends.
func setScheduler(t *testing.T, file string) error {
	was := readFile(t, file) // "[none] mq-deadline bfq"
	if err := os.WriteFile(file, []byte("bfq"), 0); err != nil {
		return err
	}
	_, was, _ = strings.Cut(was, "[")
	was, _, _ = strings.Cut(was, "]")
	t.Cleanup(func() {
		if err := os.WriteFile(file, []byte(was), 0); err != nil {
			t.Error(err)
		}
	})
	return nil
}
