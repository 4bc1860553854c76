// SPDX-License-Identifier: Apache-2.0

//go:build cparts

package child

import _ "embed"

// Binary is the interpreter, an executable for this machine.
//
//go:embed child.bin
var Binary []byte
