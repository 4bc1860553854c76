package commands

/*
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static int caught = -1;

static void catch_one(int sig)
{
	int saved = errno;
	unsigned char b = sig;
	// A full pipe loses a signal, as the kernel does with one that is pending.
	if (write(caught, &b, 1) < 0)
		errno = saved;
	errno = saved;
}

static int catch_all(int fd, const unsigned char *list, size_t n)
{
	struct sigaction a = { .sa_handler = catch_one, .sa_flags = SA_ONSTACK | SA_RESTART };
	caught = fd;
	sigfillset(&a.sa_mask);
	for (size_t i = 0; i < n; i++)
		if (sigaction(list[i], &a, NULL))
			return errno;
	return 0;
}
*/
import "C"

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// catchSignals has the given signals written to a pipe, one byte each, and
// returns its other end. os/signal would take two changes of threads for each
// signal, which for all of them is longer than a container takes to start.
func catchSignals(list []unix.Signal) (int, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return -1, fmt.Errorf("pipe: %w", err)
	}
	// The handler must not wait, whatever happens at the other end.
	if err := unix.SetNonblock(p[1], true); err != nil {
		return -1, fmt.Errorf("pipe: %w", err)
	}
	numbers := make([]byte, 0, len(list))
	for _, s := range list {
		numbers = append(numbers, byte(s))
	}
	if e := C.catch_all(C.int(p[1]), (*C.uchar)(unsafe.Pointer(&numbers[0])), C.size_t(len(numbers))); e != 0 {
		return -1, fmt.Errorf("sigaction: %w", unix.Errno(e))
	}
	return p[0], nil
}
