// SPDX-License-Identifier: Apache-2.0

package libcontainer

import (
	"slices"
	"testing"
)

func TestParseNetDev(t *testing.T) {
	const head = "Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
	got, err := parseNetDev(head + "    lo:       1       2    3    4    0     0          0         0        5       6    7    8    0     0       0          0\n" +
		"eth0.1:9 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n")
	want := []NetworkInterface{{"lo", 1, 2, 3, 4, 5, 6, 7, 8}, {Name: "eth0.1", RxBytes: 9}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"lo: 1 2 3\n", "lo: x 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"} {
		if got, err := parseNetDev(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}
