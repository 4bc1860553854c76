// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"slices"
	"testing"
)

// shell is an interactive shell whose prompt is only a $.
var shell = []string{"env", "PS1=$ ", "sh"}

func (e *dockerEngine) terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	return onTerminal(t, 33, 101, slices.Concat(e.client, args)...)
}

// interactive runs a container on a terminal; it is removed at the end of the test.
func (e *dockerEngine) interactive(t *testing.T, options []string, command ...string) *terminal {
	t.Helper()
	return e.terminal(t, e.runArgs("run", append([]string{"--rm", "--name", e.reserve(t)}, options...), command...)...)
}

func TestDockerTerminal(t *testing.T) {
	d := docker(t)
	term := d.interactive(t, []string{"-it"}, shell...)
	term.await("$ ")
	term.enter("tty; test -t 0 && test -t 1 && test -t 2 && echo three $((1+2))\n")
	term.await("three 3")
	contains(t, term.text(), "/dev/pts/0")
	term.enter("exit 7\n")
	if o := term.end(); o.code != 7 {
		t.Errorf("exit code %d, want 7: %v", o.code, o)
	}
}

func TestDockerTerminalIsTheControllingOne(t *testing.T) {
	d := docker(t)
	term := d.interactive(t, []string{"-it"}, shell...)
	term.await("$ ")
	term.enter("echo through the terminal $((2+2)) >/dev/tty; ls -l /dev/console | cut -c1\n")
	term.await("terminal 4\nc\n")
	term.enter("sh -c 'echo be\"\"gun; exec sleep 1000'\n")
	term.await("begun")
	term.enter("\x03") // the line discipline sends SIGINT to the foreground job only
	term.await("^C")
	term.enter("echo status $?\n")
	term.await("status 130")
	term.enter("exit\n")
	term.end()
}

func TestDockerTerminalHasTheWindowSize(t *testing.T) {
	d := docker(t)
	term := d.interactive(t, []string{"-it"}, shell...)
	term.await("$ ")
	term.enter("until stty size | grep '33 101'; do sleep 0.1; done\n")
	term.await("\n33 101")
	term.enter("trap 'stty size' WINCH\n")
	term.resize(22, 44)
	term.enter("until stty size | grep '22 44'; do sleep 0.1; done\n")
	term.await("\n22 44")
	term.enter("exit\n")
	term.end()
}

func TestDockerTerminalAsAnOrdinaryUser(t *testing.T) {
	d := docker(t)
	term := d.interactive(t, []string{"-it", "--user", "app"}, "sh", "-c", "echo open >/dev/tty && stat -c %u $(tty)")
	o := term.end()
	equal(t, "output", o.ok(t), "open\n1000")
}

func TestDockerTerminalInExec(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	term := d.terminal(t, append([]string{"exec", "-it", name}, shell...)...)
	term.await("$ ")
	term.enter("tty; until stty size | grep '33 101'; do sleep 0.1; done\n")
	term.await("\n33 101")
	contains(t, term.text(), "/dev/pts/")
	term.enter("exit 5\n")
	if o := term.end(); o.code != 5 {
		t.Errorf("exit code %d, want 5: %v", o.code, o)
	}
}

func TestDockerTerminalInExecOfWhatIsNotThere(t *testing.T) {
	d := docker(t)
	name := d.sleeper(t)
	o := d.terminal(t, "exec", "-it", name, "nope").end()
	o.failsWith(t, execNotFound)
	contains(t, o.out, "executable file not found in $PATH")
}

func TestDockerTerminalDetached(t *testing.T) {
	d := docker(t)
	name := d.start(t, []string{"-dt"}, "sh", "-c", "tty; sleep 1000")
	d.awaitLog(t, name, "/dev/pts/0")
}

func TestDockerAttach(t *testing.T) {
	d := docker(t)
	name := d.start(t, []string{"-it"}, shell...)
	term := d.terminal(t, "attach", name)
	term.enter("echo attached $((3+3))\n")
	term.await("attached 6")
	term.enter("exit 4\n")
	if o := term.end(); o.code != 4 {
		t.Errorf("exit code %d, want 4: %v", o.code, o)
	}
}
