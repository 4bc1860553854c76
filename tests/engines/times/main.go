// SPDX-License-Identifier: Apache-2.0

// Command times starts containers at once by containerd's Go client, and prints how many
// milliseconds pass until all have ended. Usage: times SOCKET IMAGE RUNTIME CGROUP NUMBER
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "times:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return errors.New("usage: times SOCKET IMAGE RUNTIME CGROUP NUMBER")
	}
	n, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	client, err := containerd.New(args[0])
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := namespaces.WithNamespace(context.Background(), "engines")
	image, err := client.GetImage(ctx, args[1])
	if err != nil {
		return err
	}
	all := make([]containerd.Container, n)
	for i := range all {
		id := fmt.Sprintf("times-%d-%d", os.Getpid(), i)
		// What is measured is the task; the container is only a record and a snapshot.
		all[i], err = client.NewContainer(ctx, id, containerd.WithNewSnapshot(id, image),
			containerd.WithNewSpec(oci.WithImageConfig(image), oci.WithProcessArgs("/bin/true"), oci.WithCgroup(args[3]+"/"+id)),
			containerd.WithRuntime("io.containerd.runc.v2", &options.Options{BinaryName: args[2]}))
		if err != nil {
			return err
		}
		defer all[i].Delete(ctx, containerd.WithSnapshotCleanup)
	}
	start, ended := time.Now(), make(chan error)
	for _, c := range all {
		go func() { ended <- once(ctx, c) }()
	}
	for range all {
		err = errors.Join(err, <-ended)
	}
	fmt.Println(float64(time.Since(start).Microseconds()) / 1000)
	return err
}

// once runs a container's task until it has ended and is deleted.
func once(ctx context.Context, c containerd.Container) error {
	task, err := c.NewTask(ctx, cio.NullIO)
	if err != nil {
		return err
	}
	ended, err := task.Wait(ctx)
	if err != nil {
		return err
	}
	if err := task.Start(ctx); err != nil {
		return err
	}
	status := <-ended
	_, err = task.Delete(ctx)
	if code := status.ExitCode(); code != 0 {
		err = errors.Join(err, fmt.Errorf("%s ended with %d", c.ID(), code))
	}
	return err
}
