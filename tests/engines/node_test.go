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
)

// nodeConfig is the configuration of a node's containerd before contrib/install-node, in the versions 2 and 3.
var nodeConfig = map[string]string{
	"2": `version = 2
root = "%[1]s/root"
state = "%[1]s/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "%[1]s/containerd.sock"
[ttrpc]
  address = "%[1]s/containerd.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[2]s"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "%[1]s/cni"
    conf_dir = "%[1]s/cni"
`,
	"3": "version = 3\n" + criConfig[:strings.Index(criConfig, "  [plugins.'io.containerd.cri.v1.runtime'.containerd]")],
}

// nodeServices stands in for systemctl on a node without systemd: it can restart containerd.
const nodeServices = `#!/bin/sh
set -eu
[ "$*" = "restart containerd" ]
cd %[1]s
if [ -e pid ]; then
	kill "$(cat pid)"
	while readlink "/proc/$(cat pid)/exe" >/dev/null; do sleep 0.05; done
fi
containerd >>log 2>&1 &
echo $! >pid
`

// A nodeEngine is the containerd of a node: it reads /etc/containerd/config.toml.
type nodeEngine struct {
	criEngine
	dir string
}

// node starts the containerd that is first in path, with a configuration of the given version.
func node(t *testing.T, version, path string) *nodeEngine {
	t.Helper()
	tools := os.Getenv(criToolsEnv)
	if _, err := os.Stat(filepath.Join(tools, "crictl")); err != nil {
		t.Skipf("%s names no folder with crictl (tests/engines/run builds one): %v", criToolsEnv, err)
	}
	watch(t)
	n := &nodeEngine{dir: filepath.Join(base, "node-"+version)}
	bin, socket := filepath.Join(n.dir, "bin"), filepath.Join(n.dir, "containerd.sock")
	n.client = []string{filepath.Join(tools, "crictl"), "--config", filepath.Join(n.dir, "crictl.yaml")}
	n.handler = []string{"--runtime", "skiff"}
	t.Setenv("PATH", bin+":"+path+os.Getenv("PATH"))
	err := errors.Join(os.MkdirAll(bin, 0o755), makePauseImage(n.dir),
		os.WriteFile(nodeToml, fmt.Appendf(nil, nodeConfig[version], n.dir, pauseImage), 0o644),
		os.WriteFile(filepath.Join(bin, "systemctl"), fmt.Appendf(nil, nodeServices, n.dir), 0o755),
		os.WriteFile(filepath.Join(n.dir, "crictl.yaml"), fmt.Appendf(nil, crictlConfig, socket), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.stop(t) })
	execute(t, "", "systemctl", "restart", "containerd").ok(t)
	n.await(t)
	for _, archive := range []string{imageTar, pauseTar(n.dir)} {
		n.ctr(t, "image", "import", archive)
	}
	return n
}

const nodeToml = "/etc/containerd/config.toml"

// ctr runs a ctr command in the CRI's namespace and returns its output.
func (n *nodeEngine) ctr(t *testing.T, args ...string) string {
	t.Helper()
	client := []string{"ctr", "-a", filepath.Join(n.dir, "containerd.sock"), "-n", "k8s.io"}
	return execute(t, "", slices.Concat(client, args)...).ok(t)
}

// await waits until containerd answers.
func (n *nodeEngine) await(t *testing.T) {
	t.Helper()
	eventually(t, func() error {
		if o := n.do(t, "info"); o.code != 0 {
			return fmt.Errorf("%v\n%s", o, tail(filepath.Join(n.dir, "log"), 10))
		}
		return nil
	})
}

// pid returns the process id of containerd.
func (n *nodeEngine) pid(t *testing.T) string {
	t.Helper()
	pid, err := os.ReadFile(filepath.Join(n.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(pid))
}

// stop ends containerd.
func (n *nodeEngine) stop(t *testing.T) {
	t.Helper()
	pid := n.pid(t)
	execute(t, "", "kill", pid).ok(t)
	eventually(t, func() error {
		if _, err := os.Stat("/proc/" + pid + "/exe"); err == nil {
			return errors.New("containerd runs")
		}
		return nil
	})
	if err := keepLog(filepath.Join(n.dir, "log")); err != nil {
		t.Error(err)
	}
}

// install runs contrib/install-node and returns what it prints.
func (n *nodeEngine) install(t *testing.T, args ...string) string {
	t.Helper()
	script, err := filepath.Abs("../../contrib/install-node")
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{"env", "SKIFF=" + world.runtime, "PREFIX=" + n.dir, fmt.Sprintf("SYSTEMD_CGROUP=%t", bySystemd())}
	return execute(t, "", slices.Concat(settings, []string{script}, args)...).ok(t)
}

// refuses fails the test unless containerd knows no runtime skiff.
func (n *nodeEngine) refuses(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pod.json")
	if err := os.WriteFile(path, []byte(`{"metadata": {"name": "x", "uid": "x", "namespace": "x"}, "linux": {}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	o := n.do(t, "runp", "--runtime", "skiff", path)
	if o.code == 0 || !strings.Contains(o.err, `no runtime for \"skiff\" is configured`) {
		t.Errorf("want no runtime skiff: %v", o)
	}
}

// A node's containerd has the runtime after contrib/install-node, and a container that ran before still runs. A second
// installation does not restart it. Uninstalled, all is as before.
func TestInstallNode(t *testing.T) {
	for _, c := range []struct{ name, version, path string }{
		{"containerd of Debian", "2", ""},
		{"containerd 2", "3", os.Getenv(criToolsEnv) + ":"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := node(t, c.version, c.path)
			before, err := os.ReadFile(nodeToml)
			if err != nil {
				t.Fatal(err)
			}
			n.refuses(t)
			program, other := filepath.Join(n.dir, "sbin", "skiff"), name(t)
			run := []string{"run", "--runc-binary", world.runtime, "--cgroup", world.path(other)}
			n.ctr(t, slices.Concat(run, driverArgs(), []string{"-d", "--null-io", image, other, "sleep", "1000"})...)
			t.Cleanup(func() {
				n.ctr(t, "task", "delete", "-f", other)
				n.ctr(t, "container", "delete", other)
			})

			old := n.pid(t)
			contains(t, n.install(t), "wrote "+program, "wrote "+nodeToml)
			n.await(t)
			if now := n.pid(t); now == old {
				t.Error("containerd was not restarted")
			} else {
				old = now
			}
			contains(t, n.ctr(t, "task", "list"), other, "RUNNING")
			n.try(t, program)
			if said := n.install(t); said != "" || n.pid(t) != old {
				t.Errorf("the second installation prints %q, and restarts containerd: %t", said, n.pid(t) != old)
			}

			n.install(t, "uninstall")
			n.await(t)
			after, err := os.ReadFile(nodeToml)
			if err != nil || string(after) != string(before) {
				t.Errorf("%v, config.toml is not as before:\n%s", err, after)
			}
			if _, err := os.Stat(program); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", program, err)
			}
			n.refuses(t)
			contains(t, n.ctr(t, "task", "list"), other, "RUNNING")
		})
	}
}

// try runs a pod with the installed program, and a container with ctr.
func (n *nodeEngine) try(t *testing.T, program string) {
	t.Helper()
	t.Run("use", func(t *testing.T) {
		p := n.pod(t)
		contains(t, p.do(t, "inspectp", p.id).ok(t), `"runtimeHandler": "skiff"`, program)
		id := p.start(t, nil, waiting...)
		p.awaitLog(t, id, "ready")
		expectPlace(t, p.pid(t, id))
		equal(t, "exec", p.do(t, "exec", "-s", id, "cat", "/data/kept").ok(t), "from the image")
		name := name(t)
		run := []string{"run", "--rm", "--runc-binary", program, "--cgroup", world.path(name)}
		equal(t, "ctr run", n.ctr(t, slices.Concat(run, driverArgs(), []string{image, name, "echo", "hello"})...), "hello")
	})
}
