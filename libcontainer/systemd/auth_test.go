// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"bufio"
	"strings"
	"testing"
)

// A peer that sends no end of line is not read for ever.
func TestReadLine(t *testing.T) {
	for _, c := range []struct{ sent, want, err string }{
		{"OK 1\r\nrest", "OK 1", ""},
		{strings.Repeat("x", 5000), "", "the reply must be less than 1024 bytes long"},
	} {
		line, err := readLine(bufio.NewReader(strings.NewReader(c.sent)))
		if line != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%.10q: %q, %v", c.sent, line, err)
		}
	}
}
