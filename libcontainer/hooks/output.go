// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// OutputAnnotations are the annotations that name the files to which the standard
// output and the standard error of hooks are appended.
var OutputAnnotations = [...]string{plan.HooksStdout, plan.HooksStderr}

// OpenOutput opens the file that an annotation names, and makes it if it does not
// exist. It returns nil if there is no such annotation. It never blocks, not even on
// a FIFO without a reader.
func OpenOutput(name string, annotations map[string]string, bundle string) (*os.File, error) {
	path, ok := annotations[name]
	if !ok {
		return nil, nil
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(bundle, path)
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err == nil {
		err = unix.SetNonblock(fd, false) // for the hook, which may block
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", plan.AnnotationField(name), &os.PathError{Op: "open", Path: path, Err: err})
	}
	return os.NewFile(uintptr(fd), path), nil
}

// output has the files that the hooks of one point in a container's life print to.
// Output without a file is kept for the error of a hook that fails.
type output [len(OutputAnnotations)]*os.File

func openOutput(annotations map[string]string, bundle string) (o output, err error) {
	for i, name := range OutputAnnotations {
		if o[i], err = OpenOutput(name, annotations, bundle); err != nil {
			o.close()
			return output{}, err
		}
	}
	return o, nil
}

func (o output) close() {
	for _, f := range o {
		if f != nil {
			f.Close()
		}
	}
}
