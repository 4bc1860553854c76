// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// parseID parses a user or group id. 4294967295 is none: setresuid(2) and chown(2) take
// it as "do not change".
func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, misuse("%q: must be a number from 0 to 4294967294", s)
	}
	return uint32(n), nil
}

// setUser sets the ids of u to those of --user, UID[:GID]. Without a GID the group does
// not change.
func setUser(u *specs.User, arg string) error {
	uids, gids, hasGroup := strings.Cut(arg, ":")
	uid, err := parseID(uids)
	if err != nil {
		return misuse("--user %s: user %w", arg, err)
	}
	if hasGroup {
		gid, err := parseID(gids)
		if err != nil {
			return misuse("--user %s: group %w", arg, err)
		}
		u.GID = gid
	}
	u.UID = uid
	return nil
}

// addGroups adds the groups of --additional-gids to those of u.
func addGroups(u *specs.User, args []string) error {
	for _, arg := range args {
		gid, err := parseID(arg)
		if err != nil {
			return misuse("--additional-gids: group %w", err)
		}
		u.AdditionalGids = append(u.AdditionalGids, gid)
	}
	return nil
}
