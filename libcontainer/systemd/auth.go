package systemd

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// authenticated is a connection on which the authentication is done already:
// the D-Bus library, which would do it, is told what it wants to hear.
//
// The library writes BEGIN and then its first message. systemd, when it reads
// both at once, leaves the message lying until more arrives. So BEGIN is sent
// along with the rest, and messages after the answer, as systemd's own clients
// do it.
type authenticated struct {
	net.Conn
	answers io.Reader // for the library; nil when it has read them
	begun   bool
}

// authenticate proves the caller's user id (D-Bus Specification,
// "Authentication Protocol", EXTERNAL).
func authenticate(c net.Conn, uid string) (*authenticated, error) {
	if _, err := fmt.Fprintf(c, "\x00AUTH EXTERNAL %s\r\nBEGIN\r\n", hex.EncodeToString([]byte(uid))); err != nil {
		return nil, cause(err)
	}
	line, err := readLine(c)
	if err != nil {
		return nil, cause(err)
	}
	if !strings.HasPrefix(line, "OK ") {
		return nil, fmt.Errorf("user id %s is not accepted: %q", uid, line)
	}
	return &authenticated{Conn: c, answers: strings.NewReader("REJECTED EXTERNAL\r\n" + line + "\r\n")}, nil
}

// readLine reads byte by byte: what comes after the line is not ours.
func readLine(c net.Conn) (string, error) {
	line, err := bufio.NewReaderSize(byteReader{c}, 16).ReadString('\n')
	if len(line) > 1024 {
		return "", errors.New("an answer of more than 1024 bytes")
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
