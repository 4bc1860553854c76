// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/skiff-oci/skiff/contrib"
)

// criToolsEnv names the folder with what tests/engines/cri builds: containerd 2, its shim, and crictl.
const criToolsEnv = "ENGINES_CRI"

// pauseImage is the image of the container that holds a pod's namespaces.
const pauseImage = "docker.io/library/pause:1"

// criConfig comes before the sample of contrib, which has the runtime. It has no network plugin: the pods are in the
// host's network namespace. restrict_oom_score_adj keeps containerd from asking for a score below the daemon's own,
// which the kernel may refuse.
const criConfig = `
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs"]
[grpc]
  address = "%[1]s/containerd.sock"
[ttrpc]
  address = "%[1]s/containerd.sock.ttrpc"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "%[2]s"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["%[1]s/cni"]
    conf_dir = "%[1]s/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "tested"
`

// crictlConfig is the configuration of crictl.
const crictlConfig = "runtime-endpoint: unix://%[1]s\nimage-endpoint: unix://%[1]s\ntimeout: 60\n"

// criConfiguration returns containerd's configuration: what contrib tells users to append, with the tested runtime, the
// shim of the tools, and the driver of cgroups, after what only the tests need.
func criConfiguration(dir, tools string) (string, error) {
	sample, err := contrib.Engine("containerd-2.toml", "tested", world.runtime)
	const shimType, systemd = `runtime_type = "io.containerd.runc.v2"`, "SystemdCgroup = true"
	if err == nil && (!strings.Contains(sample, shimType) || !strings.Contains(sample, systemd)) {
		err = errors.New("the sample of containerd 2 lacks " + shimType + " or " + systemd)
	}
	version, runtime, _ := strings.Cut(sample, "\n\n")
	runtime = strings.Replace(runtime, shimType, fmt.Sprintf("%s\n  runtime_path = %q", shimType, tools+"/containerd-shim-runc-v2"), 1)
	runtime = strings.Replace(runtime, systemd, fmt.Sprintf("SystemdCgroup = %t", bySystemd()), 1)
	return version + fmt.Sprintf(criConfig, dir, pauseImage) + runtime, err
}

// A criEngine is crictl, connected to the tests' own containerd 2.
type criEngine struct {
	client  []string
	handler []string // arguments of runp that name a runtime; without any, it is the default
}

var startCRI = sync.OnceValues(func() (*criEngine, error) {
	dir, tools := filepath.Join(base, "cri"), os.Getenv(criToolsEnv)
	config, server, socket := filepath.Join(dir, "config.toml"), filepath.Join(base, "bin", "containerd-cri"), filepath.Join(dir, "containerd.sock")
	text, err := criConfiguration(dir, tools)
	err = errors.Join(err, os.MkdirAll(dir, 0o755), os.Symlink(filepath.Join(tools, "containerd"), server),
		os.WriteFile(config, []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, "crictl.yaml"), fmt.Appendf(nil, crictlConfig, socket), 0o644),
		makePauseImage(dir))
	if err != nil {
		return nil, err
	}
	e := &criEngine{client: []string{filepath.Join(tools, "crictl"), "--config", filepath.Join(dir, "crictl.yaml")}}
	if _, err := world.startDaemon(func() error { return silently(slices.Concat(e.client, []string{"info"})...) }, server, "--config", config); err != nil {
		return nil, err
	}
	for _, archive := range []string{imageTar, pauseTar(dir)} {
		if err := silently("ctr", "-a", socket, "-n", "k8s.io", "image", "import", archive); err != nil {
			return nil, err
		}
	}
	return e, nil
})

func pauseTar(dir string) string { return filepath.Join(dir, "pause.tar") }

func makePauseImage(dir string) error {
	layer, err := os.ReadFile(rootTar)
	if err != nil {
		return err
	}
	archive, err := ociArchive(layer, pauseImage, "/bin/probe", "pause")
	return errors.Join(err, os.WriteFile(pauseTar(dir), archive, 0o644))
}

// cri returns the engine, and has watch check what the test leaves behind.
func cri(t *testing.T) *criEngine {
	t.Helper()
	if _, err := os.Stat(filepath.Join(os.Getenv(criToolsEnv), "crictl")); err != nil {
		t.Skipf("%s names no folder with crictl (tests/engines/run builds one): %v", criToolsEnv, err)
	}
	e, err := startCRI()
	if err != nil {
		t.Fatal(err)
	}
	watch(t)
	return e
}

// do runs a crictl command.
func (e *criEngine) do(t *testing.T, args ...string) outcome {
	t.Helper()
	return execute(t, "", slices.Concat(e.client, args)...)
}

// A pod is a pod sandbox of the engine, with the files that crictl reads.
type pod struct {
	*criEngine
	id, dir, config string
}

// object is a message of the CRI, in JSON.
type object = map[string]any

// namespaces puts a pod in the host's network namespace and gives each of its containers its own pid namespace: in the
// CRI's NamespaceMode, NODE is 2 and CONTAINER is 1.
var namespaces = object{"namespace_options": object{"network": 2, "pid": 1}}

// pod runs a sandbox; it and its containers are removed at the end of the test.
func (e *criEngine) pod(t *testing.T) *pod {
	t.Helper()
	p := &pod{criEngine: e, dir: t.TempDir()}
	p.config = p.write(t, "pod", object{
		"metadata":      object{"name": name(t), "uid": name(t), "namespace": "engines", "attempt": 1},
		"log_directory": p.dir,
		"linux": object{
			"cgroup_parent":    world.parent(),
			"security_context": namespaces,
		},
	})
	p.id = e.do(t, slices.Concat([]string{"runp"}, e.handler, []string{p.config})...).ok(t)
	t.Cleanup(func() {
		e.do(t, "stopp", p.id).ok(t)
		e.do(t, "rmp", p.id).ok(t)
	})
	return p
}

// write writes a message to a file.
func (p *pod) write(t *testing.T, name string, message object) string {
	t.Helper()
	path := filepath.Join(p.dir, name+".json")
	data, err := json.Marshal(message)
	if err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// create creates a container in the pod without starting it; extra is merged into its configuration.
func (p *pod) create(t *testing.T, extra object, command ...string) string {
	t.Helper()
	name := name(t)
	config := object{
		"metadata": object{"name": name},
		"image":    object{"image": image},
		"command":  command,
		"log_path": name + ".log",
		"linux":    object{"security_context": namespaces},
	}
	maps.Copy(config, extra)
	return p.do(t, "create", "--no-pull", p.id, p.write(t, name, config), p.config).ok(t)
}

// start creates a container and starts it.
func (p *pod) start(t *testing.T, extra object, command ...string) string {
	t.Helper()
	id := p.create(t, extra, command...)
	p.do(t, "start", id).ok(t)
	return id
}

// status returns a field of a container.
func (p *pod) status(t *testing.T, id, field string) string {
	t.Helper()
	return p.do(t, "inspect", "-o", "go-template", "--template", "{{."+field+"}}", id).ok(t)
}

// await waits until a container is in a state.
func (p *pod) await(t *testing.T, id, want string) {
	t.Helper()
	eventually(t, func() error {
		if state := p.status(t, id, "status.state"); state != "CONTAINER_"+want {
			return fmt.Errorf("container %s is %s, want %s", id, state, want)
		}
		return nil
	})
}

// pid returns the pid of a container's init on the host.
func (p *pod) pid(t *testing.T, id string) string {
	t.Helper()
	return p.status(t, id, "info.pid")
}

// awaitLog waits until a container has printed a text.
func (p *pod) awaitLog(t *testing.T, id, want string) {
	t.Helper()
	eventually(t, func() error {
		if o := p.do(t, "logs", id); !strings.Contains(o.out+o.err, want) {
			return fmt.Errorf("no %q in the log: %v", want, o)
		}
		return nil
	})
}
