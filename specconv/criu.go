package specconv

import "github.com/opencontainers/runtime-spec/specs-go"

// criuAnnotation names the configuration file of CRIU for checkpoint and
// restore; an empty value is none.
const criuAnnotation = "org.criu.config"

// CRIUConfig is the configuration file of CRIU that s asks for, if it says
// something of one.
func CRIUConfig(s *specs.Spec) (file string, given bool) {
	file, given = s.Annotations[criuAnnotation]
	return file, given
}
