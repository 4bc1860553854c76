package specconv

import (
	"encoding/json"
	"errors"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// DecodeMounts decodes an array of mounts, as `mounts` reads them; raw has each
// as it was.
func DecodeMounts(doc []byte) (list []specs.Mount, raw []json.RawMessage, err error) {
	if err := decode(doc, &list); err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, errors.New("an array of mounts is expected, as in config.json")
	}
	return list, raw, decode(doc, &raw)
}

// CompileMounts compiles mounts that are to be added to a container, whose own
// configuration is frozen.
func CompileMounts(frozen *specs.Spec, mounts []specs.Mount, o Options) (*plan.Launch, []Warning, error) {
	spec := *frozen
	spec.Mounts = mounts
	c := newCompiler(&spec, o)
	c.out.Joined = true
	c.out.UserMaps = c.knownMaps()
	c.root()
	c.mounts()
	c.paths()
	return c.result()
}
