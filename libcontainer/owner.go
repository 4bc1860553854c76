package libcontainer

import (
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// owner names the user that the state directory belongs to.
func (c *Container) owner() string {
	var st unix.Stat_t
	if err := unix.Stat(c.entry.Path(), &st); err != nil {
		return ""
	}
	if name, ok := c.host.owners[st.Uid]; ok {
		return name
	}
	// os/user would read the file by the runtime's poller, which this would be
	// the only use of.
	text, _ := sys.ReadFile("/etc/passwd")
	name := userName(string(text), st.Uid)
	if c.host.owners == nil {
		c.host.owners = make(map[uint32]string)
	}
	c.host.owners[st.Uid] = name
	return name
}

// userName finds the name of a user in the text of /etc/passwd; "#1000" for one
// that has none.
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
