package plan

import "strconv"

// At is the JSON path of an array's element.
func At(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Under is the JSON path of a member. The document, and the process of an exec,
// have no path themselves.
func Under(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}
