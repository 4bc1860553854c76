// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"slices"
	"strings"
)

// contextOptions are SELinux's mount options (mount(8)). Their values may be quoted, and
// then contain commas.
var contextOptions = [...]string{"context", "fscontext", "defcontext", "rootcontext"}

// fsOptions splits an element of a mount's options into options of the file system:
// engines pass on several of them with commas between, as users write them, since mount(2)
// splits them. By its rules, an option that is empty or has no name is dropped. All others
// go to the file system, even those with the name of a mount option, such as nosuid, which
// it may refuse.
func fsOptions(fsType, element string) (list []string) {
	for _, o := range splitOptions(fsType, element) {
		if o != "" && o[0] != '=' {
			list = append(list, o)
		}
	}
	return list
}

// splitOptions splits at each comma, except in the quotes of an SELinux context, and
// except at an escaped one for overlay. cifs gets the whole element, since it has rules of
// its own: a comma in a password is doubled.
func splitOptions(fsType, element string) (list []string) {
	if fsType == "cifs" || fsType == "smb3" {
		return []string{element}
	}
	begin, quoted := 0, false
	for i := 0; i < len(element); i++ {
		switch c := element[i]; {
		case c == '\\' && fsType == "overlay":
			i++
		case c == '"' && isContext(element[begin:i]):
			quoted = !quoted
		case c == ',' && !quoted:
			list = append(list, element[begin:i])
			begin = i + 1
		}
	}
	return append(list, element[begin:])
}

func isContext(option string) bool {
	key, _, ok := strings.Cut(option, "=")
	return ok && slices.Contains(contextOptions[:], key)
}
