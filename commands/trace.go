// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"github.com/urfave/cli/v2"
)

// tracing is what --debug and --trace record. Without them it is never used.
type tracing struct {
	debug func(format string, args ...any) // nil without --debug

	file    *sys.Appender // of --trace; nil without it
	command trace.Step
	clock   trace.Clock

	sync.Mutex
	steps []trace.Step
}

// openTrace begins to record, if --debug or --trace asks for it. It opens the file at
// once: a command that was to be traced is not carried out untraced.
func (c *call) openTrace(ctx *cli.Context) error {
	path := ctx.String("trace")
	if path == "" && ctx.IsSet("trace") {
		return misuse("--trace: a file is expected")
	}
	if path == "" && !c.log.debugs() {
		return nil
	}
	t := new(tracing)
	if c.log.debugs() {
		t.debug = c.log.debug
	}
	if path != "" {
		var err error
		if t.file, err = sys.Create(path, 0o644); err != nil {
			return fmt.Errorf("--trace: %w", err)
		}
		// The arguments are left out: they may have an environment.
		t.command = trace.Step{What: "skiff", On: ctx.Args().First(), Begun: time.Now()}
		t.clock = trace.Clock{At: t.command.Begun, Monotonic: sys.Monotonic()}
	}
	trace.To(t.record)
	c.trace = t
	return nil
}

// record records a step.
func (t *tracing) record(s trace.Step) {
	t.Lock()
	defer t.Unlock()
	if t.debug != nil {
		t.debug("%s", s.String())
	}
	if t.file != nil {
		t.steps = append(t.steps, s)
	}
}

// closeTrace writes the file of --trace; err is the command's error.
func (c *call) closeTrace(err error) {
	t := c.trace
	if t == nil || t.file == nil {
		return
	}
	t.Lock()
	defer t.Unlock()
	t.command.Took, t.command.Err = time.Since(t.command.Begun), err
	werr := trace.WriteChrome(t.file, t.clock, os.Getpid(), t.command, t.steps)
	if cerr := t.file.Close(); werr == nil {
		werr = cerr
	}
	if werr != nil {
		c.log.warn("--trace: %v", werr)
	}
}
