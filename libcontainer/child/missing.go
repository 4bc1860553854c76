// SPDX-License-Identifier: Apache-2.0

//go:build !cparts

package child

// Binary is empty, so that a fresh clone compiles, in which the interpreter has not
// been built yet.
var Binary []byte
