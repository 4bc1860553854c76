package commands

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// parseID reads a user or group id. The greatest value is not one: setresuid(2)
// and chown(2) take it for "leave as it is".
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q: a number from 0 to 4294967294 is expected", s)
	}
	return uint32(n), nil
}

// setUser changes the ids of u to those of --user, UID[:GID]. Without a GID
// the group stays as it is.
func setUser(u *specs.User, arg string) error {
	uids, gids, hasGroup := strings.Cut(arg, ":")
	uid, err := parseID(uids)
	if err != nil {
		return fmt.Errorf("--user %s: user %w", arg, err)
	}
	if hasGroup {
		gid, err := parseID(gids)
		if err != nil {
			return fmt.Errorf("--user %s: group %w", arg, err)
		}
		u.GID = gid
	}
	u.UID = uid
	return nil
}

// addGroups adds the ids of --additional-gids to those of u.
func addGroups(u *specs.User, args []string) error {
	for _, arg := range args {
		gid, err := parseID(arg)
		if err != nil {
			return fmt.Errorf("--additional-gids: group %w", err)
		}
		u.AdditionalGids = append(u.AdditionalGids, gid)
	}
	return nil
}
