//go:build cparts

package seccomp

import _ "embed"

// helper is the program that compiles a profile: package helper, which has
// libseccomp.
//
//go:embed helper.bin
var helper []byte

// helperFacts has two lines: libseccomp's version and helper's SHA-256.
//
//go:embed helper.txt
var helperFacts string
