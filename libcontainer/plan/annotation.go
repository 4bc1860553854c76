package plan

// Annotations that are acted upon when the container is made and later: its
// record has them. Paths that are not absolute are below the bundle.
const (
	HooksStdout   = "run.oci.hooks.stdout"     // file that what hooks print is appended to
	HooksStderr   = "run.oci.hooks.stderr"     // the same for their standard error
	SeccompRaw    = "run.oci.seccomp_bpf_data" // a filter, in base64 (not a path)
	PidfdReceiver = "run.oci.pidfd_receiver"   // AF_UNIX socket that a pidfd of the first process is sent to
)

// AnnotationField is the JSON path of an annotation.
func AnnotationField(name string) string { return `annotations["` + name + `"]` }
