// SPDX-License-Identifier: Apache-2.0

//go:build !cparts

package seccomp

// A build without the tag cparts, as in a fresh clone, has no helper.
var (
	helper      []byte
	helperFacts = "none\n"
)
