// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer"
	"github.com/skiff-oci/skiff/libcontainer/criu"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"github.com/skiff-oci/skiff/specconv"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
)

// criuFlags are the flags of both checkpoint and restore.
func criuFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "image-path", Usage: "write or read the image files in `DIR`", DefaultText: "./checkpoint"},
		&cli.StringFlag{Name: "work-path", Usage: "keep CRIU's logs and sockets in `DIR`", DefaultText: "that of --image-path"},
		&cli.BoolFlag{Name: "tcp-established", Usage: "allow established TCP connections"},
		&cli.BoolFlag{Name: "ext-unix-sk", Usage: "allow connections to UNIX sockets outside the container"},
		&cli.BoolFlag{Name: "shell-job", Usage: "allow a session or a terminal that began outside the container"},
		&cli.BoolFlag{Name: "lazy-pages", Usage: "transfer memory on demand: checkpoint serves it at --page-server, and restore gets it from 'criu lazy-pages'"},
		&cli.BoolFlag{Name: "file-locks", Usage: "allow file locks"},
		&cli.BoolFlag{Name: "auto-dedup", Usage: "free the pages in parent images that newer images replace"},
		&cli.StringFlag{Name: "manage-cgroups-mode", Value: "soft", Usage: "`soft|full|strict|ignore`: how CRIU treats the cgroups"},
		&cli.StringFlag{Name: "empty-ns", Usage: "`network`: save and restore this namespace without its contents"},
	}
}

func (c *call) checkpointCommand() *cli.Command {
	return &cli.Command{
		Name:      "checkpoint",
		Usage:     "save the state of a running container with CRIU",
		ArgsUsage: "CONTAINER-ID",
		Description: `Saves the state of the container's processes to image files, from which
restore resumes them. The processes end and the container is deleted,
unless --leave-running or --pre-dump is given. Needs criu(8).`,
		UsageText: `skiff checkpoint --image-path /var/tmp/web web
skiff checkpoint --leave-running --tcp-established web`,
		Flags: append(criuFlags(),
			&cli.StringFlag{Name: "parent-path", Usage: "reuse the images of an earlier --pre-dump in `DIR`, which is relative to --image-path"},
			&cli.BoolFlag{Name: "leave-running", Usage: "leave the container running"},
			&cli.BoolFlag{Name: "tcp-skip-in-flight", Usage: "skip TCP connections that are not established yet"},
			&cli.BoolFlag{Name: "link-remap", Usage: "allow open files that were unlinked but have another hard link"},
			&cli.IntFlag{Name: "status-fd", Value: -1, Usage: "write a NUL byte to descriptor `FD` when the page server is ready"},
			&cli.StringFlag{Name: "page-server", Usage: "send memory pages to the page server at `ADDR:PORT`"},
			&cli.BoolFlag{Name: "pre-dump", Usage: "save only the memory, before a later checkpoint, and leave the container running"},
			&cli.StringFlag{Name: "network-lock", Usage: "`iptables|nftables|skip`: how CRIU blocks network traffic during the checkpoint"},
		),
		Action: c.checkpoint,
	}
}

func (c *call) checkpoint(ctx *cli.Context) error {
	container, err := c.container(ctx, 1)
	if err != nil {
		return err
	}
	raw, err := container.Config()
	if err != nil {
		return err
	}
	spec, err := specconv.Decode(raw)
	if err != nil {
		return err
	}
	state, err := container.State()
	if err != nil {
		return err
	}
	if spec.Linux != nil {
		spec.Linux.CgroupsPath = "" // its form depends on whether create had --systemd-cgroup; the record has the cgroup
	}
	l, _, err := specconv.Compile(spec, specconv.Options{
		ID: container.ID(), Bundle: state.Bundle, Rootless: c.host.Rootless && !libcontainer.InUserNamespace(),
	})
	if err != nil {
		return err
	}
	o, err := dumpOptions(ctx, spec)
	if err != nil {
		return err
	}
	defer progress(func() string { return imagesSize(o.ImagePath) })()
	return container.Checkpoint(l, o)
}

func dumpOptions(ctx *cli.Context, spec *specs.Spec) (*criu.DumpOptions, error) {
	o := &criu.DumpOptions{
		ParentPath:      ctx.String("parent-path"),
		LeaveRunning:    ctx.Bool("leave-running"),
		PreDump:         ctx.Bool("pre-dump"),
		LinkRemap:       ctx.Bool("link-remap"),
		TCPSkipInFlight: ctx.Bool("tcp-skip-in-flight"),
		NetworkLock:     ctx.String("network-lock"),
		Catch:           catchAbort,
	}
	var err error
	if o.Options, err = criuOptions(ctx, spec); err != nil {
		return nil, err
	}
	if err := criu.NetworkLock(o.NetworkLock); err != nil {
		return nil, err
	}
	if server := ctx.String("page-server"); server != "" {
		if o.PageServer, o.PageServerPort, err = pageServer(server); err != nil {
			return nil, err
		}
	}
	if err := checkLazy(o); err != nil {
		return nil, err
	}
	o.Status, err = statusFile(ctx.Int("status-fd"))
	return o, err
}

// catchAbort catches the signals that abort a checkpoint, and returns a pipe that gets a
// byte for each one. The signals that the caller ignores stay ignored.
func catchAbort() (*os.File, error) {
	fd, err := catchSignals(slices.DeleteFunc([]unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP}, sys.Ignored))
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "signals"), nil
}

// checkLazy refuses flags that contradict --lazy-pages.
func checkLazy(o *criu.DumpOptions) error {
	switch {
	case !o.LazyPages:
		return nil
	case o.PageServerPort == 0:
		return misuse("--lazy-pages: requires --page-server ADDR:PORT, the address to serve memory pages at")
	case o.PreDump:
		return misuse("--lazy-pages: cannot be used with --pre-dump")
	case o.LeaveRunning:
		return misuse("--lazy-pages: cannot be used with --leave-running: the processes would run twice")
	}
	return nil
}

// criuOptions reads the flags that checkpoint and restore share, and --tcp-close of
// restore.
func criuOptions(ctx *cli.Context, spec *specs.Spec) (o criu.Options, err error) {
	o = criu.Options{
		TCPEstablished: ctx.Bool("tcp-established"),
		TCPClose:       ctx.Bool("tcp-close"),
		ExtUnixSk:      ctx.Bool("ext-unix-sk"),
		ShellJob:       ctx.Bool("shell-job"),
		FileLocks:      ctx.Bool("file-locks"),
		AutoDedup:      ctx.Bool("auto-dedup"),
		LazyPages:      ctx.Bool("lazy-pages"),
		CgroupsMode:    ctx.String("manage-cgroups-mode"),
	}
	if o.ConfigFile, err = criuConfig(spec); err != nil {
		return o, err
	}
	images := ctx.String("image-path")
	if images == "" {
		images = "checkpoint"
	}
	if o.ImagePath, err = filepath.Abs(images); err != nil {
		return o, fmt.Errorf("--image-path: %w", err)
	}
	if work := ctx.String("work-path"); work != "" {
		if o.WorkPath, err = filepath.Abs(work); err != nil {
			return o, fmt.Errorf("--work-path: %w", err)
		}
	}
	switch ns := ctx.String("empty-ns"); ns {
	case "":
	case "network":
		o.EmptyNetwork = true
	default:
		return o, misuse("--empty-ns %q: must be network", ns)
	}
	return o, criu.CgroupsMode(o.CgroupsMode)
}

// criuConfig returns the configuration file in which an administrator sets CRIU's
// options: the one that the annotation names, else the one for skiff, else the one for
// runc. It is empty if there is none. A file that the annotation names must exist: CRIU
// would run without it.
func criuConfig(spec *specs.Spec) (string, error) {
	if file, given := specconv.CRIUConfig(spec); given {
		if _, err := os.Stat(file); file != "" && err != nil {
			return "", fmt.Errorf("annotations[\"org.criu.config\"]: %w", err)
		}
		return file, nil
	}
	for _, file := range [...]string{"/etc/criu/skiff.conf", "/etc/criu/runc.conf"} {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", nil
}

// pageServer reads ADDR:PORT.
func pageServer(s string) (host string, port int, err error) {
	host, text, ok := hostPort(s)
	if ok {
		port, err = strconv.Atoi(text)
	}
	if !ok || err != nil || port < 1 || port > 65535 {
		return "", 0, misuse("--page-server %q: must be ADDR:PORT", s)
	}
	return host, port, nil
}

// hostPort splits HOST:PORT or [HOST]:PORT, as net.SplitHostPort does. Package net would
// make each start of skiff slower.
func hostPort(s string) (host, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", false
	}
	host, port = s[:i], s[i+1:]
	if inner, bracket := strings.CutPrefix(host, "["); bracket {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", "", false
		}
	} else if strings.Contains(host, ":") {
		return "", "", false
	}
	return host, port, !strings.ContainsAny(host+port, "[]")
}

// statusFile returns the open descriptor fd as a file, or nil if fd is -1.
func statusFile(fd int) (*os.File, error) {
	if fd == -1 {
		return nil, nil
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || fd < 0 {
		return nil, misuse("--status-fd %d: must be an open file descriptor", fd)
	}
	return os.NewFile(uintptr(fd), "--status-fd"), nil
}
