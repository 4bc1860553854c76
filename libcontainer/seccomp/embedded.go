// SPDX-License-Identifier: Apache-2.0

//go:build cparts

package seccomp

import _ "embed"

// helper is the program that compiles a profile (package helper), linked with
// libseccomp.
//
//go:embed helper.bin
var helper []byte

// helperFacts has two lines: the version of libseccomp, and the SHA-256 of helper.
//
//go:embed helper.txt
var helperFacts string
