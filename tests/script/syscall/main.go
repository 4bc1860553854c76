// Syscall makes system calls for the scripts: each argument is the number of
// one, which gets zeros for arguments. It prints their errors' numbers.
package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	for _, arg := range os.Args[1:] {
		number, err := strconv.ParseUint(arg, 10, 32)
		if err != nil {
			fmt.Fprintln(os.Stderr, "syscall:", err)
			os.Exit(1)
		}
		_, _, errno := unix.Syscall6(uintptr(number), 0, 0, 0, 0, 0, 0)
		fmt.Printf("%d: %d\n", number, errno)
	}
}
