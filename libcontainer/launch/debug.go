package launch

import (
	"fmt"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/program"
	"github.com/skiff-oci/skiff/libcontainer/wire"
)

// Debug is called with a message for each step; nil: no messages.
type Debug func(format string, args ...any)

func (d Debug) say(format string, args ...any) {
	if d != nil {
		d(format, args...)
	}
}

// now returns the time, if messages are wanted.
func (d Debug) now() (t time.Time) {
	if d != nil {
		t = time.Now()
	}
	return t
}

// since reports how long the runtime took for something, such as the answer to a
// message of type m from the child; 0: no message.
func (d Debug) since(begun time.Time, what string, m wire.Type) {
	if d == nil {
		return
	}
	if m != 0 {
		what += " " + m.String()
	}
	d("runtime: %s: %s", what, took(time.Since(begun)))
}

// traced reports an operation that the child has completed.
func (d Debug) traced(index int, e program.Entry, m wire.Message) {
	if d == nil {
		return
	}
	field := ""
	if e.Field != "" {
		field = " # " + e.Field
	}
	d("child: %d %s: %s%s", index, e.Brief(), took(time.Duration(m.Value)), field)
}

func took(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
