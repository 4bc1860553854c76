// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/contrib"
)

// buildkitEnv names the folder with what tests/engines/buildkit builds: buildkitd and buildctl.
const buildkitEnv = "ENGINES_BUILDKIT"

// buildkitWorkers has what only the tests need of each worker's configuration: where it puts things, and the host's
// network, since there are no CNI plugins.
var buildkitWorkers = map[string]string{
	"oci":        "enabled = true\n  networkMode = \"host\"\n  snapshotter = \"overlayfs\"\n  defaultCgroupParent = \"%[1]s\"\n",
	"containerd": "enabled = true\n  networkMode = \"host\"\n  snapshotter = \"overlayfs\"\n  defaultCgroupParent = \"%[1]s\"\n  namespace = \"engines\"\n  address = \"%[2]s\"\n",
}

// buildkitConfiguration returns buildkitd's configuration with one of its workers: what contrib tells users to write,
// with the tested runtime.
func buildkitConfiguration(dir, worker string) (string, error) {
	sample, err := contrib.Engine("buildkitd.toml", "tested", world.runtime)
	if err == nil && (!strings.Contains(sample, "\n[worker.oci]\n") || !strings.Contains(sample, "\n[worker.containerd.runtime]\n")) {
		err = errors.New("the sample of buildkit lacks a section")
	}
	oci, containerd := "enabled = false\n", "enabled = false\n"
	settings := fmt.Sprintf(buildkitWorkers[worker], world.parent(), containerdSocket)
	if worker == "oci" {
		oci = settings
	} else {
		containerd = settings
	}
	sample = strings.Replace(sample, "[worker.oci]\n", "[worker.oci]\n  "+oci, 1)
	sample = strings.Replace(sample, "[worker.containerd.runtime]\n", "[worker.containerd]\n  "+containerd+"[worker.containerd.runtime]\n", 1)
	return fmt.Sprintf("root = \"%[1]s/root\"\n[grpc]\n  address = [\"unix://%[1]s/sock\"]\n", dir) + sample, err
}

// A buildkitEngine is buildctl, connected to a buildkitd of the tests.
type buildkitEngine struct {
	client []string
	dir    string
}

// buildkit starts a buildkitd with a worker, and has watch check what the test leaves behind.
func buildkit(t *testing.T, worker string) *buildkitEngine {
	t.Helper()
	tools := os.Getenv(buildkitEnv)
	if _, err := os.Stat(filepath.Join(tools, "buildkitd")); err != nil {
		t.Skipf("%s names no folder with buildkitd (tests/engines/run builds one): %v", buildkitEnv, err)
	}
	if bySystemd() {
		t.Skip("buildkit puts its containers below a cgroup, not in scopes of systemd")
	}
	if _, err := startContainerd(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "buildkit-"+worker)
	server, config := filepath.Join(base, "bin", "buildkitd-"+worker), filepath.Join(dir, "buildkitd.toml")
	text, err := buildkitConfiguration(dir, worker)
	root, rootErr := os.ReadFile(rootTar)
	err = errors.Join(err, rootErr, os.MkdirAll(filepath.Join(dir, "context"), 0o755),
		os.Symlink(filepath.Join(tools, "buildkitd"), server), os.WriteFile(config, []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, "context", "root.tar"), root, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	e := &buildkitEngine{client: []string{filepath.Join(tools, "buildctl"), "--addr", "unix://" + dir + "/sock"}, dir: dir}
	ready := func() error { return silently(slices.Concat(e.client, []string{"debug", "workers"})...) }
	if _, err := world.startDaemon(ready, server, "--config", config); err != nil {
		t.Fatal(err)
	}
	watch(t)
	return e
}

// build builds an image from busybox with further lines of a Dockerfile; its files go to the folder out.
func (e *buildkitEngine) build(t *testing.T, out string, lines ...string) outcome {
	t.Helper()
	files := t.TempDir()
	text := "FROM scratch\nADD root.tar /\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(files, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return execute(t, "", slices.Concat(e.client, []string{"build", "--progress", "plain", "--frontend", "dockerfile.v0",
		"--local", "context=" + filepath.Join(e.dir, "context"), "--local", "dockerfile=" + files, "--output", "type=local,dest=" + out})...)
}

func TestBuildkit(t *testing.T) {
	for _, worker := range []string{"oci", "containerd"} {
		t.Run(worker, func(t *testing.T) {
			e := buildkit(t, worker)
			t.Run("runs commands", func(t *testing.T) {
				out := t.TempDir()
				e.build(t, out, "USER app", "WORKDIR /data", "USER root", "ENV A=1",
					`RUN --mount=type=tmpfs,target=/t echo "$A $$ $(pwd) $(hostname)" >/made && grep -c ' /t tmpfs' /proc/mounts >>/made`,
					`RUN awk '/CapEff|Seccomp:/ { print $2 }' /proc/self/status >>/made`).ok(t)
				made, err := os.ReadFile(filepath.Join(out, "made"))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "file", string(made), "1 1 /data buildkitsandbox\n1\n00000000a80425fb\n2\n")
			})
			t.Run("passes the exit code", func(t *testing.T) {
				e.build(t, t.TempDir(), "RUN exit 7").fails(t, 1, "exit code: 7")
			})
			t.Run("shows an error", func(t *testing.T) {
				e.build(t, t.TempDir(), `RUN ["/bin/nope"]`).fails(t, 1, "/bin/nope", "no such file or directory")
			})
		})
	}
}
