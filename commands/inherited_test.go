// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestInherited has descriptors of the caller at 200, 202 and 203, and one of skiff
// between them.
func TestInherited(t *testing.T) {
	for fd, flags := range map[int]int{200: 0, 201: unix.O_CLOEXEC, 202: 0, 203: 0} {
		if err := unix.Dup3(0, fd, flags); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	for _, tt := range []struct {
		preserve, listen int
		want             []int
	}{
		{0, 0, nil},
		{197, 0, nil},
		{198, 0, []int{200}},
		{200, 0, []int{200, 202}},
		{0, 200, []int{200, 202}},
		{100, 100, []int{200, 202}},
		{1 << 30, 1 << 30, []int{200, 202, 203}},
		{1<<63 - 1, 1<<63 - 1, []int{200, 202, 203}},
	} {
		got, err := inherited(tt.preserve, tt.listen)
		got = slices.DeleteFunc(got, func(fd int) bool { return fd < 200 || fd > 203 }) // the test's caller may have passed others
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%d, LISTEN_FDS %d: got %v, %v, want %v", tt.preserve, tt.listen, got, err, tt.want)
		}
	}
	if got, err := inherited(-1, 0); err == nil {
		t.Errorf("-1: got %v, want an error", got)
	}
}
