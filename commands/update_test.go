// SPDX-License-Identifier: Apache-2.0

package commands

import "testing"

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"-1": -1, "0": 0, "4096": 4096, "512M": 512 << 20, "1g": 1 << 30, "1.5k": 1536, "2KiB": 2048, "3 mb": 3 << 20,
		"10b": 10, "1t": 1 << 40, "8191p": 8191 << 50,
	} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "m", "-2", "1x", "1mm", "1mib2", "0x10", "1e3", "1.2.3", "8192p", "9223372036854775808", "+1", "1bk", "inf", "ki"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}
