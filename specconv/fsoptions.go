package specconv

import (
	"slices"
	"strings"
)

// contextOptions are SELinux's mount options (mount(8)). The value of one may be
// in quotes, with commas in it.
var contextOptions = [...]string{"context", "fscontext", "defcontext", "rootcontext"}

// fsOptions are the options of a file system that one element of options holds:
// engines pass on what a user has written with commas between, for mount(2)
// takes it apart itself. So do we, by its rules: an empty option is nothing, and
// neither is one without a name. Words that are options of a mount are ones of
// the file system here, which may not know them.
func fsOptions(fsType, element string) (list []string) {
	for _, o := range splitOptions(fsType, element) {
		if o != "" && o[0] != '=' {
			list = append(list, o)
		}
	}
	return list
}

// splitOptions ends an option at each comma that is not in the quotes of an
// SELinux context, nor escaped where the file system is an overlay. cifs has
// rules of its own: a comma in a password is doubled.
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
