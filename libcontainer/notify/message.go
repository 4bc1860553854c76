package notify

import (
	"os"

	"golang.org/x/sys/unix"
)

// message is a datagram and the descriptors that came with it.
type message struct {
	text string
	fds  []int
}

func (m *message) close() {
	for _, fd := range m.fds {
		unix.Close(fd)
	}
}

// maxFDs is how many descriptors one message can carry (SCM_MAX_FD).
const maxFDs = 253

// receive takes the next datagram, whatever its size: the kernel keeps none
// that is larger than the sender's buffer.
func receive(fd int) (*message, error) {
	size := 0
	err := retry(func() (err error) {
		size, _, err = unix.Recvfrom(fd, nil, unix.MSG_PEEK|unix.MSG_TRUNC)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "recv", Path: Env, Err: err}
	}
	buf, oob := make([]byte, size), make([]byte, unix.CmsgSpace(4*maxFDs))
	n, oobn := 0, 0
	err = retry(func() (err error) {
		n, oobn, _, _, err = unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "recvmsg", Path: Env, Err: err}
	}
	return &message{text: string(buf[:n]), fds: rights(oob[:oobn])}, nil
}

func rights(oob []byte) (all []int) {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for i := range list {
		if fds, err := unix.ParseUnixRights(&list[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
