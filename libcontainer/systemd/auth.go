// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// authenticate authenticates with the user id (D-Bus Specification, "Authentication
// Protocol", EXTERNAL).
//
// If systemd reads BEGIN and the first message at once, it ignores the message until more
// arrives. So BEGIN is sent with the authentication, and messages only after systemd's
// answer, as systemd's own clients do.
func authenticate(w io.Writer, r *bufio.Reader, uid string) error {
	if _, err := fmt.Fprintf(w, "\x00AUTH EXTERNAL %x\r\nBEGIN\r\n", uid); err != nil {
		return cause(err)
	}
	line, err := readLine(r)
	if err != nil {
		return cause(err)
	}
	if !strings.HasPrefix(line, "OK ") {
		return fmt.Errorf("user id %s was rejected: %q", uid, line)
	}
	return nil
}

// readLine reads a line. A peer that sends no end of line is not read for ever.
func readLine(r *bufio.Reader) (string, error) {
	const most = 1024
	var line []byte
	for len(line) < most {
		b, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return strings.TrimRight(string(line), "\r"), nil
		}
		line = append(line, b)
	}
	return "", fmt.Errorf("the reply must be less than %d bytes long", most)
}
