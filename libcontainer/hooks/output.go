package hooks

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/plan"
	"golang.org/x/sys/unix"
)

// OutputAnnotations name the files that what hooks print is appended to: their
// standard output and their standard error.
var OutputAnnotations = [...]string{plan.HooksStdout, plan.HooksStderr}

// OpenOutput opens the file that an annotation names, which is made if it is not
// there; nil if there is no such annotation. It waits for nobody, whatever kind
// of file it is.
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
		err = unix.SetNonblock(fd, false) // the hook's, who may wait
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", plan.AnnotationField(name), &os.PathError{Op: "open", Path: path, Err: err})
	}
	return os.NewFile(uintptr(fd), path), nil
}

// output is where the hooks of one point in a container's life print; without a
// file it is kept for the error of one that fails.
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
