// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"errors"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/child"
)

// A build without the child starts nothing, and its error says how to build skiff with it.
func TestNoChild(t *testing.T) {
	whole := child.Binary
	child.Binary = nil
	t.Cleanup(func() { child.Binary = whole })
	_, err := new(binding).spawn(nil)
	if !errors.Is(err, errNoChild) || !strings.Contains(err.Error(), "build it with make") {
		t.Errorf("got %v, want %v", err, errNoChild)
	}
}
