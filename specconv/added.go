// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"encoding/json"
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// DecodeMounts decodes the array of mounts that `mounts` reads. raw has the text of each
// mount. An empty array is an error.
func DecodeMounts(doc []byte) (list []specs.Mount, raw []json.RawMessage, err error) {
	if err := decode(doc, &list); err != nil {
		return nil, nil, invalid(err)
	}
	if len(list) == 0 {
		return nil, nil, invalid(errors.New("must be an array of mounts, as in config.json, and not empty"))
	}
	return list, raw, decode(doc, &raw)
}

// CompileMounts compiles mounts that are to be added to a container. stored is the
// configuration that the container was made with. The error is [Violations].
func CompileMounts(stored *specs.Spec, mounts []specs.Mount, o Options) (*plan.Launch, []Warning, error) {
	spec := *stored
	spec.Mounts = mounts
	c := newCompiler(&spec, o)
	c.out.Joined = true
	c.out.UserMaps = c.knownMaps()
	c.root()
	c.mounts()
	c.paths()
	return c.result()
}
