// SPDX-License-Identifier: Apache-2.0

//go:build engines

package engines

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A service manager must be told that a container is ready: podman has the runtime mount a socket, and its monitor
// passes messages on.
func TestPodmanNotify(t *testing.T) {
	e := podman(t)
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	heard := make(chan string, 100)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf) // a descriptor in the message is closed
			if err != nil {
				close(heard)
				return
			}
			heard <- string(buf[:n])
		}
	}()
	t.Setenv("NOTIFY_SOCKET", socket)
	e.start(t, []string{"--sdnotify", "container"}, "probe", "notify", "STATUS=afloat\nREADY=1")
	var all []string
	for end := time.After(20 * time.Second); ; {
		select {
		case m := <-heard:
			all = append(all, m)
			if strings.Contains("\n"+m+"\n", "\nREADY=1\n") {
				return
			}
		case <-end:
			t.Fatalf("the manager was not told; it heard %q", all)
		}
	}
}
