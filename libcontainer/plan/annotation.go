// SPDX-License-Identifier: Apache-2.0

package plan

import "strconv"

// Annotations that are used when the container is made and also later, when they are
// read from its record. Relative paths are below the bundle.
const (
	HooksStdout   = "run.oci.hooks.stdout"     // file to which the standard output of hooks is appended
	HooksStderr   = "run.oci.hooks.stderr"     // the same for their standard error
	SeccompRaw    = "run.oci.seccomp_bpf_data" // a filter, in base64 (not a path)
	PidfdReceiver = "run.oci.pidfd_receiver"   // AF_UNIX socket that a pidfd of the first process is sent to
)

// AnnotationField is the JSON path of an annotation.
func AnnotationField(name string) string { return "annotations[" + strconv.Quote(name) + "]" }
