// SPDX-License-Identifier: Apache-2.0

package specconv

import "github.com/opencontainers/runtime-spec/specs-go"

// criuAnnotation names CRIU's configuration file for checkpoint and restore. An empty
// value means that there is none.
const criuAnnotation = "org.criu.config"

// CRIUConfig returns CRIU's configuration file according to the annotation
// org.criu.config of s, and whether s has that annotation. An empty file means none.
func CRIUConfig(s *specs.Spec) (file string, given bool) {
	file, given = s.Annotations[criuAnnotation]
	return file, given
}
