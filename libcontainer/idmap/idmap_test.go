package idmap

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
)

func entry(c, h, n uint32) specs.LinuxIDMapping {
	return specs.LinuxIDMapping{ContainerID: c, HostID: h, Size: n}
}

func TestRoot(t *testing.T) {
	for _, test := range []struct {
		list []specs.LinuxIDMapping
		want uint32
	}{
		{nil, 0},
		{[]specs.LinuxIDMapping{entry(0, 1000, 1)}, 0},
		{[]specs.LinuxIDMapping{entry(5, 1000, 1), entry(0, 2000, 1)}, 0},
		{[]specs.LinuxIDMapping{entry(5, 1000, 10), entry(100, 2000, 1)}, 5},
	} {
		if got := Root(test.list); got != test.want {
			t.Errorf("%v: got %d, want %d", test.list, got, test.want)
		}
	}
}

func TestJoined(t *testing.T) {
	got := joined([]specs.LinuxIDMapping{entry(10, 110, 5), entry(0, 100, 10), entry(15, 300, 1)})
	if want := []specs.LinuxIDMapping{entry(0, 100, 15), entry(15, 300, 1)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The mappings of this very process are what it has, and nothing else is.
func TestCheck(t *testing.T) {
	own := plan.UserMaps{}
	var err error
	if own.UID, err = read(os.Getpid(), "uid_map"); err != nil {
		t.Fatal(err)
	}
	if err := Check(os.Getpid(), own); err != nil {
		t.Error(err)
	}
	other := plan.UserMaps{UID: []specs.LinuxIDMapping{entry(3, 4, 5)}}
	if err := Check(os.Getpid(), other); err == nil || !strings.HasPrefix(err.Error(), "linux.uidMappings: differs from the mappings") {
		t.Errorf("got %v", err)
	}
}
