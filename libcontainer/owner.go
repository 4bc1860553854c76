// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// owner returns the name of the user who owns the state directory.
func (c *Container) owner() string {
	var st unix.Stat_t
	if err := unix.Stat(c.entry.Path(), &st); err != nil {
		return ""
	}
	if name, ok := c.host.owners[st.Uid]; ok {
		return name
	}
	// Not os/user: it would read the file through the Go runtime's poller, which
	// nothing else here needs.
	text, _ := sys.ReadFile("/etc/passwd")
	name := userName(string(text), st.Uid)
	if c.host.owners == nil {
		c.host.owners = make(map[uint32]string)
	}
	c.host.owners[st.Uid] = name
	return name
}

// userName finds the name of a user in the text of /etc/passwd. It returns "#UID" for a
// user without an entry.
func userName(passwd string, uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	for line := range strings.Lines(passwd) {
		name, rest, _ := strings.Cut(line, ":")
		_, rest, _ = strings.Cut(rest, ":") // the password
		if number, _, ok := strings.Cut(rest, ":"); ok && number == id && name != "" && !strings.ContainsAny(name[:1], "#+-") {
			return name
		}
	}
	return "#" + id
}
