// SPDX-License-Identifier: Apache-2.0

package plan

import "strconv"

// At returns the JSON path of an array's element.
func At(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// Under returns the JSON path of a member. The path of the document itself, and of the
// process of an exec, is empty.
func Under(path, member string) string {
	if path == "" {
		return member
	}
	return path + "." + member
}
