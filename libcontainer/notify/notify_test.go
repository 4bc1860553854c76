package notify

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

func TestTranslate(t *testing.T) {
	for _, s := range []struct {
		in, out        string
		ready, barrier bool
	}{
		{"READY=1", "READY=1\nMAINPID=42", true, false},
		{"STATUS=a b=c\nREADY=1\nWATCHDOG_USEC=1\n", "STATUS=a b=c\nREADY=1\nWATCHDOG_USEC=1\nMAINPID=42", true, false},
		{"READY=0", "READY=0", false, false},
		{"NOTREADY=1\nX_READY=1", "NOTREADY=1\nX_READY=1", false, false},
		{"MAINPID=1", "", false, false},
		{"MAINPIDFD=1\nMAINPIDFDID=5\nNOTIFYACCESS=all\nRELOADING=1\nMONOTONIC_USEC=5", "RELOADING=1\nMONOTONIC_USEC=5", false, false},
		{"BARRIER=1", "", false, true},
		{"STOPPING=1\nBARRIER=1", "STOPPING=1", false, true},
		{"", "", false, false},
	} {
		out, ready, barrier := translate(s.in, 42)
		if out != s.out || ready != s.ready || barrier != s.barrier {
			t.Errorf("%q: %q, %v, %v; expected %q, %v, %v", s.in, out, ready, barrier, s.out, s.ready, s.barrier)
		}
	}
}

func TestCheck(t *testing.T) {
	for socket, ok := range map[string]bool{"/run/x": true, "@x": true, "": false, "/": false, "@": false, "run/x": false, "vsock:2:1": false} {
		if err := Check(socket); (err == nil) != ok {
			t.Errorf("%q: %v", socket, err)
		}
	}
}

func TestAdd(t *testing.T) {
	l := new(plan.Launch)
	l.Process.Env = []string{"A=1", Env + "=/old", "B=2"}
	Add(l, "/dir")
	if got := strings.Join(l.Process.Env, " "); got != "A=1 B=2 NOTIFY_SOCKET=/run/notify/notify.sock" {
		t.Errorf("environment %q", got)
	}
}

// Directories and sockets may have paths that no socket address can hold; and
// a message may be large.
func TestLongPathsLargeMessage(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(deep)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	host, err := datagram()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(host)
	if err := unix.Bind(host, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(int(d.Fd())) + "/m"}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(deep, "notify")
	if err := MakeDir(dir); err != nil {
		t.Fatal(err)
	}
	p, err := Listen(dir, deep+"/m")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	st, err := os.Stat(dir + "/" + socketName)
	if err != nil || st.Mode().Perm() != 0o777 {
		t.Errorf("socket %v, %v", st, err)
	}
	ended, end, err := os.Pipe() // stands for a pidfd
	if err != nil {
		t.Fatal(err)
	}
	defer ended.Close()
	text := "STATUS=" + strings.Repeat("x", 50000)
	c, err := dial(dir + "/" + socketName)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(c)
	if err := unix.Send(c, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
	end.Write([]byte("x")) // it has ended: what it sent before is passed on
	end.Close()
	if err := p.Run(int(ended.Fd()), 1, true); err != nil {
		t.Fatal(err)
	}
	m, err := receive(host)
	if err != nil || m.text != text {
		t.Errorf("got %d bytes, %v; expected %d", len(m.text), err, len(text))
	}
}

// A manager that is gone ends the waiting.
func TestManagerGone(t *testing.T) {
	dir := t.TempDir()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/m", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Listen(dir, dir+"/m")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	conn.Close()
	c, err := dial(dir + "/" + socketName)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(c)
	if err := unix.Send(c, []byte("READY=1"), 0); err != nil {
		t.Fatal(err)
	}
	ended, end, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ended.Close()
	defer end.Close()
	done := make(chan error, 1)
	go func() { done <- p.Run(int(ended.Fd()), 1, true) }()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "NOTIFY_SOCKET: send: connection refused") {
			t.Errorf("error %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for a manager that is gone")
	}
}
