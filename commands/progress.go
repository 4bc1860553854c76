// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// clearLine returns to the start of a terminal's line, and clears it (ECMA-48, EL).
const clearLine = "\r\033[K"

// progress shows on a terminal how far a long command has come: from the first interval
// on, on one line, which is cleared in the end. It shows nothing if standard error is no
// terminal. The caller calls the function that it returns when the command ends.
func progress(describe func() string) (end func()) {
	if !onTerminal() {
		return func() {}
	}
	return showProgress(os.Stderr, time.Second, describe)
}

func showProgress(w io.Writer, interval time.Duration, describe func() string) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	begun := time.Now()
	go func() {
		defer close(stopped)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-tick.C:
				shown = true
				fmt.Fprintf(w, "%sskiff: %s (%s)", clearLine, describe(), time.Since(begun).Round(interval))
			case <-stop:
				if shown {
					fmt.Fprint(w, clearLine)
				}
				return
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// counter counts the containers that a command for many of them is done with.
type counter struct {
	verb  string
	total int
	done  atomic.Int64
}

func (n *counter) String() string {
	return fmt.Sprintf("%s: %d of %d containers", n.verb, n.done.Load(), n.total)
}

// imagesSize describes how much of a checkpoint is written.
func imagesSize(dir string) string {
	var size int64
	_ = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil // a file that has just gone counts for nothing
	})
	return fmt.Sprintf("checkpoint: %d MiB written to %s", size>>20, dir)
}
