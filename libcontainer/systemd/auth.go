// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
)

// authenticated is a connection on which authentication is done already. The D-Bus
// library, which insists on doing it, gets the answers that it expects.
//
// The library writes BEGIN and then its first message. If systemd reads both at once,
// it ignores the message until more arrives. So BEGIN is sent with the authentication,
// and messages only after systemd's answer, as systemd's own clients do.
type authenticated struct {
	net.Conn
	answers io.Reader // for the library; nil after it has read them
	begun   bool      // the library has written BEGIN
}

// authenticate authenticates with the user id (D-Bus Specification, "Authentication
// Protocol", EXTERNAL).
func authenticate(c net.Conn, uid string) (*authenticated, error) {
	if _, err := fmt.Fprintf(c, "\x00AUTH EXTERNAL %s\r\nBEGIN\r\n", hex.EncodeToString([]byte(uid))); err != nil {
		return nil, withoutAddress(err)
	}
	line, err := readLine(c)
	if err != nil {
		return nil, withoutAddress(err)
	}
	if !strings.HasPrefix(line, "OK ") {
		return nil, fmt.Errorf("user id %s was rejected: %q", uid, line)
	}
	return &authenticated{Conn: c, answers: strings.NewReader("REJECTED EXTERNAL\r\n" + line + "\r\n")}, nil
}

// readLine reads byte by byte, since what follows the line is for the library.
func readLine(c net.Conn) (string, error) {
	const most = 1024
	line, err := bufio.NewReaderSize(io.LimitReader(byteReader{c}, most), 16).ReadString('\n')
	if len(line) == most {
		return "", fmt.Errorf("the reply must be less than %d bytes long", most)
	}
	return strings.TrimRight(line, "\r\n"), err
}

type byteReader struct{ net.Conn }

func (r byteReader) Read(p []byte) (int, error) { return r.Conn.Read(p[:min(1, len(p))]) }

func (a *authenticated) Read(p []byte) (int, error) {
	if a.answers != nil {
		n, err := a.answers.Read(p)
		if err == nil {
			return n, nil
		}
		a.answers = nil
	}
	return a.Conn.Read(p)
}

func (a *authenticated) Write(p []byte) (int, error) {
	if a.begun {
		return a.Conn.Write(p)
	}
	a.begun = bytes.HasPrefix(p, []byte("BEGIN"))
	return len(p), nil
}
