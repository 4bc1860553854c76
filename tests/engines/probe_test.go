// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// probe is what this binary does inside a container, as /bin/probe. It returns the exit code.
//
//	probe syscall NUMBER...   makes each system call with all arguments zero and prints the name of the error
//	probe memory BYTES        touches that much memory, page by page
//	probe notify MESSAGE      sends it to $NOTIFY_SOCKET, and waits for SIGTERM
//	probe pause               waits for SIGTERM
func probe(args []string) int {
	switch {
	case len(args) > 1 && args[0] == "syscall":
		return probeSyscalls(args[1:])
	case len(args) == 2 && args[0] == "memory":
		return probeMemory(args[1])
	case len(args) == 2 && args[0] == "notify":
		return probeNotify(args[1])
	case len(args) == 1 && args[0] == "pause":
		return probePause()
	}
	fmt.Fprintln(os.Stderr, "usage: probe syscall NUMBER... | probe memory BYTES | probe notify MESSAGE | probe pause")
	return 2
}

func probeSyscalls(numbers []string) int {
	for _, text := range numbers {
		number, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		_, _, errno := unix.RawSyscall6(uintptr(number), 0, 0, 0, 0, 0, 0)
		fmt.Println(text, unix.ErrnoName(errno))
	}
	return 0
}

func probeMemory(text string) int {
	size, err := strconv.Atoi(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	block := make([]byte, size)
	for i := 0; i < size; i += os.Getpagesize() {
		block[i] = 1
	}
	runtime.KeepAlive(block)
	fmt.Println("touched", size)
	return 0
}

func probeNotify(message string) int {
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err == nil {
		_, err = conn.Write([]byte(message))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return probePause()
}

func probePause() int {
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	<-end
	return 0
}
