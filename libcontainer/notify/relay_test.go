// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// The plan itself is not changed, even where its slices have room for more.
func TestWith(t *testing.T) {
	l := new(plan.Launch)
	env := [...]string{"A=1", Env + "=/old", "B=2", ""}
	mounts := [...]plan.Mount{{Destination: "/a"}, {}}
	l.Process.Env, l.Rootfs.Mounts = env[:3], mounts[:1]
	with := With(l, "/dir")
	if got := strings.Join(with.Process.Env, " "); got != "A=1 B=2 NOTIFY_SOCKET=/run/notify/notify.sock" {
		t.Errorf("environment %q", got)
	}
	if n := len(with.Rootfs.Mounts); n != 2 || with.Rootfs.Mounts[1].Source != "/dir" {
		t.Errorf("%d mounts: %+v", n, with.Rootfs.Mounts)
	}
	if env != [...]string{"A=1", Env + "=/old", "B=2", ""} || mounts[1].Source != "" || len(l.Rootfs.Mounts) != 1 {
		t.Errorf("the plan was changed: %q, %+v", env, mounts)
	}
}

// world is a manager, a running proxy, and a container that sends.
type world struct {
	*testing.T
	manager *net.UnixConn // read only by receive
	client  int           // connected to the container's socket
	end     *os.File      // a pipe in place of a pidfd: closing it ends the container
	over    chan error    // result of Run
}

func newWorld(t *testing.T, untilReady bool) *world {
	dir := t.TempDir()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/m", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m, err := Dial(dir + "/m")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, manager: conn, over: make(chan error, 1)}
	w.run(m, dir, untilReady)
	return w
}

func (w *world) run(m *Manager, dir string, untilReady bool) {
	p, err := m.Listen(dir)
	if err != nil {
		w.Fatal(err)
	}
	if w.client, err = sys.ConnectUnix(dir+"/"+socketName, unix.SOCK_DGRAM); err != nil {
		w.Fatal(err)
	}
	ended, end, err := os.Pipe()
	if err != nil {
		w.Fatal(err)
	}
	w.end = end
	w.Cleanup(func() { unix.Close(w.client); end.Close() })
	go func() {
		defer ended.Close()
		defer p.Close()
		w.over <- p.Run(Service{Init: os.Getpid(), Pidfd: ended, Main: 42, UntilReady: untilReady})
	}()
}

func (w *world) send(text string, fds ...int) {
	w.Helper()
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(w.client, []byte(text), oob, nil, 0); err != nil {
		w.Fatal(err)
	}
}

// receive returns what the manager reads next. It closes descriptors and appends their
// number.
func (w *world) receive() string {
	w.Helper()
	data, control := make([]byte, 1<<16), make([]byte, 1<<12)
	_ = w.manager.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, c, _, _, err := w.manager.ReadMsgUnix(data, control)
	if err != nil {
		w.Fatal(err)
	}
	note := ""
	if list, _ := unix.ParseSocketControlMessage(control[:c]); len(list) > 0 {
		fds, _ := unix.ParseUnixRights(&list[0])
		note = fmt.Sprintf(" fds=%d", len(fds))
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	return string(data[:n]) + note
}

// finish returns the error of Run, which must return within the time.
func (w *world) finish(within time.Duration) string {
	w.Helper()
	begun := time.Now()
	select {
	case err := <-w.over:
		if took := time.Since(begun); took > within {
			w.Errorf("it took %v", took)
		}
		if err != nil {
			return err.Error()
		}
	case <-time.After(15 * time.Second):
		w.Fatal("it does not end")
	}
	return ""
}

// fill fills the manager's socket, so that it takes no more messages. One sender's buffer
// may be full before that: systemd lets a socket keep 512 messages, the kernel 11.
func (w *world) fill() {
	for sent := -1; sent != 0; {
		fd, err := sys.ConnectUnix(w.manager.LocalAddr().String(), unix.SOCK_DGRAM)
		if err != nil {
			w.Fatal(err)
		}
		for sent = 0; unix.Sendto(fd, []byte("X_FULL=1"), unix.MSG_DONTWAIT, nil) == nil; sent++ {
		}
		unix.Close(fd)
	}
}

// A manager that does not read delays nothing: Run ends at once, or with UntilReady
// after a limited time.
func TestManagerDoesNotRead(t *testing.T) {
	w := newWorld(t, false)
	w.fill()
	w.send("STATUS=a")
	w.send("STATUS=b\nREADY=1")
	time.Sleep(50 * time.Millisecond)
	w.end.Close()
	if err := w.finish(time.Second); err != "NOTIFY_SOCKET: the service manager did not read all messages of the container" {
		t.Errorf("error %q", err)
	}
}

func TestManagerDoesNotReadReady(t *testing.T) {
	for name, fill := range map[string]bool{"nothing": true, "no barrier": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, true)
			if fill {
				w.fill()
			}
			w.send("READY=1")
			if err := w.finish(patience + time.Second); !strings.Contains(err, "NOTIFY_SOCKET: the service manager ") {
				t.Errorf("error %q", err)
			}
		})
	}
}

// A slow manager gets all messages, in order, and the relay keeps at most one in
// memory: senders block.
func TestManagerIsSlow(t *testing.T) {
	w := newWorld(t, false)
	const n = 150
	go func() {
		for i := range n {
			_ = retry(func() error { return unix.Send(w.client, fmt.Appendf(nil, "STATUS=%d", i), 0) })
		}
	}()
	for i := range n {
		if i%10 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		if got := w.receive(); got != "STATUS="+strconv.Itoa(i) {
			t.Fatalf("message %d is %q", i, got)
		}
	}
	w.end.Close()
	if err := w.finish(time.Second); err != "" {
		t.Error(err)
	}
}

// If the manager is gone, waiting ends; a new one at the same name is found.
func TestManagerGone(t *testing.T) {
	w := newWorld(t, true)
	w.manager.Close()
	w.send("READY=1")
	if err := w.finish(time.Second); err != "NOTIFY_SOCKET: send: connection refused" {
		t.Errorf("error %q", err)
	}
}

func TestManagerReplaced(t *testing.T) {
	w := newWorld(t, false)
	w.send("STATUS=1")
	w.receive()
	addr := w.manager.LocalAddr().(*net.UnixAddr)
	w.manager.Close()
	if err := os.Remove(addr.Name); err != nil {
		t.Fatal(err)
	}
	w.send("STATUS=2")
	time.Sleep(50 * time.Millisecond)
	again, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	w.manager = again
	w.send("STATUS=3") // skiff connects to the name again for each message
	if got := w.receive(); got != "STATUS=3" {
		t.Errorf("%q", got)
	}
	w.end.Close()
	if err := w.finish(time.Second); err != "NOTIFY_SOCKET: send: connection refused" {
		t.Errorf("error %q", err)
	}
}

// What is sent before the end is relayed, and even then READY=1 is waited for.
func TestLastWords(t *testing.T) {
	w := newWorld(t, true)
	w.send("STATUS=a")
	w.send("READY=1")
	w.end.Close()
	for _, want := range []string{"STATUS=a", "READY=1\nMAINPID=42", "BARRIER=1 fds=1"} {
		if got := w.receive(); got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
	if err := w.finish(time.Second); err != "" {
		t.Error(err)
	}
}

// A sender that floods the socket blocks: the number of messages to the manager in a
// time is limited.
func TestFlood(t *testing.T) {
	w := newWorld(t, false)
	stop := time.Now().Add(500 * time.Millisecond)
	go func() {
		for time.Now().Before(stop) {
			unix.Send(w.client, []byte("WATCHDOG=1"), 0)
		}
	}()
	n := 0
	for ; time.Now().Before(stop); n++ {
		_ = w.manager.SetReadDeadline(stop)
		if _, err := w.manager.Read(make([]byte, 100)); err != nil {
			break
		}
	}
	if n < burst || n > burst+100 {
		t.Errorf("%d messages in half a second", n)
	}
	w.end.Close()
	w.finish(time.Second)
}

// Directories and sockets may have paths that are too long for a socket address.
func TestLongPaths(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "m", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := MakeDir(deep + "/notify"); err != nil {
		t.Fatal(err)
	}
	m, err := Dial(deep + "/m")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, manager: conn, over: make(chan error, 1)}
	w.run(m, deep+"/notify", false)
	st, err := os.Stat(deep + "/notify/" + socketName)
	if err != nil || st.Mode().Perm() != 0o777 {
		t.Errorf("socket %v, %v", st, err)
	}
	w.send("STATUS=a")
	if got := w.receive(); got != "STATUS=a" {
		t.Errorf("%q", got)
	}
	w.end.Close()
	w.finish(time.Second)
}

func TestDial(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for socket, want := range map[string]string{
		"x":                            `NOTIFY_SOCKET "x": must be an absolute path, @ and a name, or vsock:CID:PORT`,
		dir + "/nosuch":                "no such file or directory",
		dir + "/file":                  "connection refused",
		"@skiff-nobody":                "connection refused",
		"vsock:2:x":                    `port "x": must be a number`,
		"@" + strings.Repeat("x", 200): "invalid argument",
	} {
		if _, err := Dial(socket); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, expected %q", socket, err, want)
		}
	}
}

// With AF_VSOCK, each message has its own connection.
func TestVsock(t *testing.T) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("socket(AF_VSOCK): %v", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: unix.VMADDR_PORT_ANY}); err != nil {
		t.Skipf("bind: %v", err)
	}
	if err := unix.Listen(fd, 10); err != nil {
		t.Skipf("listen: %v", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Dial(fmt.Sprintf("vsock-stream:local:%d", sa.(*unix.SockaddrVM).Port))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.send("STATUS=probe", -1); err != nil {
		t.Skipf("a socket of this host cannot be reached by AF_VSOCK: %v", err)
	}
	w := &world{T: t, over: make(chan error, 1)}
	w.run(m, t.TempDir(), true)
	w.send("STATUS=a")
	w.send("READY=1")
	for _, want := range []string{"STATUS=probe", "STATUS=a", "READY=1"} {
		conn, _, err := unix.Accept(fd)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		n, _ := unix.Read(conn, buf)
		unix.Close(conn)
		if string(buf[:n]) != want {
			t.Errorf("%q, expected %q", buf[:n], want)
		}
	}
	if err := w.finish(time.Second); err != "" {
		t.Error(err)
	}
}
