package store

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/skiff-oci/skiff/libcontainer/program"
)

func (r *Record) addStep(v []string) error {
	flags, err := strconv.ParseUint(v[1], 10, 64)
	if err != nil {
		return err
	}
	r.Tail = append(r.Tail, program.Step{Kind: program.KindNamed(v[0]), Flags: flags, Field: v[2], Words: v[3:]})
	return nil
}

// steps1 has the names of the operations in the order in which version 1 of the
// record's form has numbered them, from 1. It never changes.
const steps1 = `nodump unshare setns fork sync await setsid keyring sethostname setdomainname
	linkup write oomscore close becomeroot
	propagate fsmount opentree setattr attach mount remount copyup pivot moveroot chroot mask readonly
	mknod symlink console devnull
	hook umask setgroups setid stdio bounding keepcaps capset ambient nonewprivs seccomp
	chdir lookup home rlimit sched ioprio affinity personality mempolicy attr label keepfds listen exec
	timens workdir`

// wordOf1 turns the number of an operation in version 1 into its name.
func wordOf1(number string) (string, error) {
	n, err := strconv.Atoi(number)
	all := strings.Fields(steps1)
	if err != nil || n < 1 || n > len(all) {
		return "", fmt.Errorf("step %q: a number from 1 to %d is expected", number, len(all))
	}
	return all[n-1], nil
}
