package commands

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/urfave/cli/v2"
)

func (c *call) runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "make a container, start it and wait for it",
		ArgsUsage: "CONTAINER-ID",
		Flags: append(launchFlags(),
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "do not wait"},
			&cli.BoolFlag{Name: "keep", Usage: "do not delete the container when it has ended"},
			&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the parent of the container's orphans"},
		),
		Action: c.runContainer,
	}
}

func (c *call) runContainer(ctx *cli.Context) error {
	detach := ctx.Bool("detach")
	l, err := c.prepare(ctx, detach)
	if err != nil {
		return err
	}
	if len(l.plan.Process.Args) == 0 {
		return errors.New("process: is required to run a container, and config.json has none")
	}
	if ctx.Bool("plan") {
		return c.printPlan(l)
	}
	if err := c.makeRoot(); err != nil {
		return err
	}
	if detach {
		return c.runDetached(l)
	}
	if err := adoptTerminal(&l.plan.Process, &l.io); err != nil {
		return err
	}
	l.io.Subreaper = !ctx.Bool("no-subreaper")
	return c.foreground(l, ctx.Bool("keep"), func() (*libcontainer.Container, *libcontainer.Process, error) {
		return c.host.Create(l.plan, l.raw, l.io)
	})
}

// runDetached leaves the container to itself once it is ready, if there is a
// service manager that waits for that.
func (c *call) runDetached(l *launch) error {
	_, process, err := c.host.Create(l.plan, l.raw, l.io)
	if err != nil {
		return err
	}
	c.notify(process, process.Pid, true)
	return nil
}

// notify passes on what the container says to the service manager. That it
// cannot is no reason to fail: the container runs.
func (c *call) notify(p *libcontainer.Process, main int, untilReady bool) {
	if err := p.Notify(main, untilReady); err != nil {
		c.log.warn("%v", err)
	}
}

// notifyForeground does so until the container has ended; then the channel has
// the error. Without a manager it is nil.
func notifyForeground(l *launch, p *libcontainer.Process) chan error {
	if l.io.NotifySocket == "" {
		return nil
	}
	said := make(chan error, 1)
	go func() { said <- p.Notify(os.Getpid(), false) }() // the service's main process is this one
	return said
}

// lastWords bounds what may still be passed on when the container has ended.
const lastWords = 2 * time.Second

// endNotify waits for what notifyForeground has begun.
func (c *call) endNotify(said chan error) {
	if said == nil {
		return
	}
	select {
	case err := <-said:
		if err != nil {
			c.log.warn("%v", err)
		}
	case <-time.After(lastWords):
		c.log.warn("%s: the manager did not take all that the container has said (within %v of its end)", notifySocket, lastWords)
	}
}

// warnOOM says why a process has been killed, if it was for want of memory: its
// exit status tells of the signal alone.
func (c *call) warnOOM(p *libcontainer.Process) {
	if why := p.OOM(c.code); why != "" {
		c.log.warn("%s", why)
	}
}

// foreground makes a container, waits for it and, unless it is to be kept,
// deletes it.
func (c *call) foreground(l *launch, keep bool, start func() (*libcontainer.Container, *libcontainer.Process, error)) error {
	fg, err := newForeground(l.io.Subreaper)
	if err != nil {
		return err
	}
	container, process, err := start()
	if err != nil {
		return err
	}
	c.log.flush()
	said := notifyForeground(l, process)
	c.code, err = fg.wait(process, l.io.PlainOutput)
	c.warnOOM(process)
	c.endNotify(said)
	if keep {
		return err
	}
	// A checkpoint has deleted it, and perhaps a restore has made another.
	if deleteErr := container.Delete(err != nil); deleteErr != nil && !errors.Is(deleteErr, libcontainer.ErrNotExist) {
		// The process's exit status is worth more to the caller.
		c.log.warn("run: delete: %v", deleteErr)
	}
	if err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}
