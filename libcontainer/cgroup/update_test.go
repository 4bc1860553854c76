// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/undo"
	"golang.org/x/sys/unix"
)

// row tests one field: a value, and the files with the values that it becomes, with "_"
// for blanks. "refused" is an error that names the field; "" means that nothing is
// written.
type row struct {
	field  string // JSON path below linux.resources
	json   string
	v2, v1 string
}

func rows() []row {
	return []row{
		{"devices", `{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}`, "", ""}, // TestLegacyUpdateDevices
		{"memory.limit", `{"memory":{"limit":67108864}}`, "memory.max=67108864", "memory.limit_in_bytes=67108864"},
		{"memory.reservation", `{"memory":{"reservation":33554432}}`, "memory.low=33554432", "memory.soft_limit_in_bytes=33554432"},
		{"memory.swap", `{"memory":{"limit":67108864,"swap":100663296}}`, "memory.max=67108864 memory.swap.max=33554432",
			"memory.limit_in_bytes=67108864 memory.memsw.limit_in_bytes=100663296"},
		{"memory.kernel", `{"memory":{"kernel":67108864}}`, "refused", "memory.kmem.limit_in_bytes=67108864"},
		{"memory.kernelTCP", `{"memory":{"kernelTCP":67108864}}`, "refused", "memory.kmem.tcp.limit_in_bytes=67108864"},
		{"memory.swappiness", `{"memory":{"swappiness":7}}`, "refused", "memory.swappiness=7"},
		{"memory.disableOOMKiller", `{"memory":{"disableOOMKiller":true}}`, "refused", "memory.oom_control=1"},
		{"memory.useHierarchy", `{"memory":{"useHierarchy":false}}`, "refused", "refused"},
		{"memory.checkBeforeUpdate", `{"memory":{"limit":67108864,"checkBeforeUpdate":true}}`, "memory.max=67108864", "memory.limit_in_bytes=67108864"},
		{"cpu.shares", `{"cpu":{"shares":1024}}`, "cpu.weight=100", "cpu.shares=1024"},
		{"cpu.quota", `{"cpu":{"quota":20000}}`, "cpu.max=20000_100000", "cpu.cfs_quota_us=20000"},
		{"cpu.burst", `{"cpu":{"quota":20000,"burst":10000}}`, "cpu.max=20000_100000 cpu.max.burst=10000", "cpu.cfs_quota_us=20000 cpu.cfs_burst_us=10000"},
		{"cpu.period", `{"cpu":{"period":50000}}`, "cpu.max=max_50000", "cpu.cfs_period_us=50000"},
		{"cpu.realtimeRuntime", `{"cpu":{"realtimeRuntime":1000}}`, "refused", "cpu.rt_runtime_us=1000"},
		{"cpu.realtimePeriod", `{"cpu":{"realtimePeriod":500000}}`, "refused", "cpu.rt_period_us=500000"},
		{"cpu.cpus", `{"cpu":{"cpus":"0"}}`, "cpuset.cpus=0", "cpuset.cpus=0"},
		{"cpu.mems", `{"cpu":{"mems":"0"}}`, "cpuset.mems=0", "cpuset.mems=0"},
		{"cpu.idle", `{"cpu":{"idle":1}}`, "cpu.idle=1", "cpu.idle=1"},
		{"pids.limit", `{"pids":{"limit":33}}`, "pids.max=33", "pids.max=33"},
		{"blockIO.weight", `{"blockIO":{"weight":500}}`, "io.bfq.weight=500", "blkio.bfq.weight=500"},
		{"blockIO.leafWeight", `{"blockIO":{"leafWeight":500}}`, "refused", "blkio.leaf_weight=500"},
		{"blockIO.weightDevice", `{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":500}]}}`, "io.bfq.weight=8:0_500", "blkio.bfq.weight_device=8:0_500"},
		{"blockIO.throttleReadBpsDevice", `{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":4096}]}}`, "io.max=8:0_rbps=4096", "blkio.throttle.read_bps_device=8:0_4096"},
		{"blockIO.throttleWriteBpsDevice", `{"blockIO":{"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":4096}]}}`, "io.max=8:0_wbps=4096", "blkio.throttle.write_bps_device=8:0_4096"},
		{"blockIO.throttleReadIOPSDevice", `{"blockIO":{"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":40}]}}`, "io.max=8:0_riops=40", "blkio.throttle.read_iops_device=8:0_40"},
		{"blockIO.throttleWriteIOPSDevice", `{"blockIO":{"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":40}]}}`, "io.max=8:0_wiops=40", "blkio.throttle.write_iops_device=8:0_40"},
		{"hugepageLimits", `{"hugepageLimits":[{"pageSize":"2MB","limit":4194304}]}`, "hugetlb.2MB.max=4194304 hugetlb.2MB.rsvd.max=4194304",
			"hugetlb.2MB.limit_in_bytes=4194304 hugetlb.2MB.rsvd.limit_in_bytes=4194304"},
		{"network.classID", `{"network":{"classID":1048577}}`, "refused", "net_cls.classid=1048577"},
		{"network.priorities", `{"network":{"priorities":[{"name":"lo","priority":5}]}}`, "refused", "net_prio.ifpriomap=lo_5"},
		{"rdma", `{"rdma":{"mlx4_0":{"hcaHandles":2,"hcaObjects":9}}}`, "rdma.max=mlx4_0_hca_handle=2_hca_object=9", "rdma.max=mlx4_0_hca_handle=2_hca_object=9"},
		{"unified", `{"unified":{"hugetlb.2MB.max":"4194304"}}`, "hugetlb.2MB.max=4194304", ""},
	}
}

// leaves returns the JSON paths of all fields that can be given a value.
func leaves(t reflect.Type, path string) (all []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct {
			all = append(all, leaves(f.Type.Elem(), path+name+".")...)
			continue
		}
		all = append(all, path+name)
	}
	return all
}

func resourcesOf(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	r := new(specs.LinuxResources)
	if err := json.Unmarshal([]byte(text), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Each field has one row, and each row is for a field.
func TestRowsComplete(t *testing.T) {
	missing := make(map[string]bool)
	for _, l := range leaves(reflect.TypeFor[specs.LinuxResources](), "") {
		missing[l] = true
	}
	for _, r := range rows() {
		if !missing[r.field] {
			t.Errorf("%s is no field, or has two rows", r.field)
		}
		delete(missing, r.field)
		parts := strings.Split(r.field, ".")
		if !strings.Contains(r.json, `"`+parts[len(parts)-1]+`":`) {
			t.Errorf("%s is not in %s", r.field, r.json)
		}
	}
	for f := range missing {
		t.Errorf("%s has no row", f)
	}
}

// The rows on directories of plain files: a value, and the files that it is written to.
func TestRowsFake(t *testing.T) {
	for _, r := range rows() {
		for _, v2 := range []bool{true, false} {
			want := r.v1
			if v2 {
				want = r.v2
			}
			t.Run(r.field, func(t *testing.T) {
				got, err := fakeUpdate(t, resourcesOf(t, r.json), want, v2)
				f := (*FieldError)(nil)
				if errors.As(err, &f) {
					if want != "refused" || !strings.HasPrefix(f.Field, "linux.resources."+r.field) {
						t.Errorf("v2 %v: %v, want %q", v2, err, want)
					}
					return
				}
				if err != nil || got != want {
					t.Errorf("v2 %v: %q, %v; want %q", v2, got, err, want)
				}
			})
		}
	}
}

// fakeUpdate sets r in a directory that has the files of want, and returns their
// contents.
func fakeUpdate(t *testing.T, r *specs.LinuxResources, want string, v2 bool) (string, error) {
	t.Helper()
	path := t.TempDir()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := dir{int(f.Fd()), path}
	var files []string
	for pair := range strings.FieldsSeq(want) {
		if file, _, ok := strings.Cut(pair, "="); ok {
			files = append(files, file)
			text := ""
			if file == "memory.oom_control" {
				text = "oom_kill_disable 1"
			}
			if err := os.WriteFile(filepath.Join(path, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if strings.Contains(want, "memory.max=") {
		if err := os.WriteFile(filepath.Join(path, "memory.current"), []byte("4096\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u := &update{Group: &Group{}, old: strip(nil), merged: Merge(nil, r, v2), named: strip(r), undo: new(undo.Stack)}
	addCompanions(u.named, u.merged)
	for _, c := range controllers() {
		list, err := c.values(u.named, v2)
		if err != nil {
			return "", err
		}
		for i := range list {
			if list[i].file == "memory.oom_control" { // it is read in another form than it is written
				if err := d.check(&list[i]); err != nil {
					return "", err
				}
				return "memory.oom_control=" + list[i].value, nil
			}
		}
		if err := u.write(&dirSettings{d, list}); err != nil {
			return "", err
		}
	}
	for _, key := range unifiedKeys(u.named) {
		if !v2 {
			continue
		}
		if err := u.write(&dirSettings{d, []setting{{field: "unified", file: key, value: u.named.Unified[key], unified: true}}}); err != nil {
			return "", err
		}
	}
	var out []string
	for _, file := range files {
		out = append(out, file+"="+strings.ReplaceAll(readFile(t, path, file), " ", "_"))
	}
	return strings.Join(out, " "), nil
}

// The rows on the host's cgroups, v1 and v2, as far as they have the files.
func TestLegacyRows(t *testing.T) {
	if private(t) {
		legacyHost(t)
		rowsOn(t, false)
	}
}

func TestUnifiedRows(t *testing.T) {
	if isolated(t) {
		rowsOn(t, true)
	}
}

func rowsOn(t *testing.T, v2 bool) {
	t.Helper()
	tested := 0
	block := bfqDevice(t)
	for _, r := range rows() {
		r = r.onDevice(t, block)
		want := r.v1
		if v2 {
			want = r.v2
		}
		g := newGroup(t, Config{Resources: resourcesOf(t, r.json)}) // enables the controller
		g.resources = nil
		if !v2 {
			g = onlyLegacy(g)
		}
		if err := g.Limit(); err != nil {
			f := (*FieldError)(nil)
			if v2 || !errors.As(err, &f) || f.Field != "linux.resources.devices" || g.legacy("devices") != nil {
				t.Fatal(err)
			}
		}
		if want == "" || want != "refused" && !hasFiles(t, g, r, want) {
			continue
		}
		tested++
		var u undo.Stack
		before := filesOf(g, want)
		_, err := g.Update(&Change{Named: resourcesOf(t, r.json)}, &u)
		if f := (*FieldError)(nil); want == "refused" {
			if !errors.As(err, &f) || !strings.HasPrefix(f.Field, "linux.resources."+r.field) {
				t.Errorf("%s: %v, want it refused", r.field, err)
			}
			continue
		}
		if r.field == "memory.kernel" && err != nil && strings.Contains(err.Error(), "the kernel set") {
			t.Logf("a limit that the kernel knows no more is told: %v", err)
			continue
		}
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Logf("not tested, the device has no such scheduler: %v", err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", r.field, err)
			continue
		}
		for pair := range strings.FieldsSeq(want) {
			file, value, _ := strings.Cut(pair, "=")
			got := strings.ReplaceAll(filesOf(g, file)[file], " ", "_")
			if !byKey(file) && file != "memory.oom_control" && got != value || !hasWords(got, value) {
				t.Errorf("%s: %s is %q, want %q", r.field, file, got, value)
			}
		}
		failed := errors.New("taken back")
		u.Unwind(&failed)
		if failed.Error() != "taken back" {
			t.Errorf("%s: %v", r.field, failed)
		}
		after := filesOf(g, want)
		for file, was := range before {
			if is := after[file]; is != was && !sameNumber(file, is, was) { // "no limit" has two forms
				t.Errorf("%s: %s is taken back to %q, it was %q", r.field, file, is, was)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: taken back to %q, it was %q", r.field, after, before)
		}
	}
	t.Logf("%d rows tested", tested)
	if tested == 0 {
		t.Skip("the host has none of the controllers")
	}
}

// hasWords reports whether got has every word of want: a line of io.max has all limits
// of a device.
func hasWords(got, want string) bool {
	words := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '_' || r == '\n' })
	}
	have := words(got)
	for _, w := range words(want) {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// onDevice returns the row with devices of the host, if it has any, in place of its
// own. number is that of a block device, or "".
func (r row) onDevice(t *testing.T, number string) row {
	t.Helper()
	if all, err := os.ReadDir("/sys/class/infiniband"); err == nil && len(all) > 0 {
		name := all[0].Name()
		r.json = strings.ReplaceAll(r.json, "mlx4_0", name)
		r.v2, r.v1 = strings.ReplaceAll(r.v2, "mlx4_0", name), strings.ReplaceAll(r.v1, "mlx4_0", name)
	}
	if all, err := os.ReadDir("/sys/block"); number == "" && err == nil && len(all) > 0 {
		number = readFile(t, "/sys/block", all[0].Name(), "dev")
	}
	if number == "" {
		return r
	}
	major, minor, _ := strings.Cut(number, ":")
	r.json = strings.ReplaceAll(r.json, `"major":8,"minor":0`, `"major":`+major+`,"minor":`+minor)
	r.v2, r.v1 = strings.ReplaceAll(r.v2, "=8:0_", "="+number+"_"), strings.ReplaceAll(r.v1, "=8:0_", "="+number+"_")
	return r
}

func hasFiles(t *testing.T, g *Group, r row, want string) bool {
	t.Helper()
	have := filesOf(g, want)
	for pair := range strings.FieldsSeq(want) {
		file, value, _ := strings.Cut(pair, "=")
		if _, ok := have[file]; !ok {
			t.Logf("not tested, the host has no %s: %s", file, r.field)
			return false
		}
		if key, _, ok := strings.Cut(value, "_"); ok && strings.Contains(key, ":") {
			if _, err := os.Stat("/sys/dev/block/" + key); err != nil {
				t.Logf("not tested, the host has no block device %s: %s", key, r.field)
				return false
			}
		}
		if all, err := os.ReadDir("/sys/class/infiniband"); file == "rdma.max" && (err != nil || len(all) == 0) {
			t.Logf("not tested, the host has no such device: %s", r.field)
			return false
		}
	}
	return true
}

// filesOf reads the files named in "file=value ...", from whichever directory of the
// group has them.
func filesOf(g *Group, want string) map[string]string {
	all := make(map[string]string)
	for pair := range strings.FieldsSeq(want) {
		file, _, _ := strings.Cut(pair, "=")
		for i := range g.members {
			if s, err := g.members[i].read(file); err == nil {
				all[file] = s
			}
		}
	}
	return all
}

func TestMerge(t *testing.T) {
	for _, c := range []struct {
		old, change, v2, v1 string // v1 is empty if it is the same as v2
	}{
		{`{"cpu":{"quota":5,"period":7}}`, `{"cpu":{"period":9}}`, `{"cpu":{"quota":5,"period":9}}`, ""},
		{`{"cpu":{"shares":5}}`, `{"cpu":{"shares":0,"quota":0},"pids":{"limit":3}}`, `{"cpu":{"shares":5},"pids":{"limit":3}}`, ""},
		{`{"pids":{"limit":3}}`, `{"pids":{"limit":0}}`, `{"pids":{"limit":0}}`, ""},
		{`{"memory":{"limit":10,"swap":30}}`, `{"memory":{"limit":15}}`, `{"memory":{"limit":15,"swap":35}}`, `{"memory":{"limit":15,"swap":30}}`},
		{`{"memory":{"limit":10,"swap":30}}`, `{"memory":{"limit":-1}}`, `{"memory":{"limit":-1,"swap":-1}}`, ""},
		{`{"memory":{"limit":10,"swap":-1}}`, `{"memory":{"limit":15}}`, `{"memory":{"limit":15,"swap":-1}}`, ""},
		{`{"memory":{"limit":10}}`, `{"memory":{"swap":15}}`, `{"memory":{"limit":10,"swap":15}}`, ""},
		{`{"hugepageLimits":[{"pageSize":"2MB","limit":1}]}`, `{"hugepageLimits":[{"pageSize":"1GB","limit":1}]}`, `{"hugepageLimits":[{"pageSize":"1GB","limit":1}]}`, ""},
		{`{"hugepageLimits":[{"pageSize":"2MB","limit":1}]}`, `{"hugepageLimits":[]}`, `{}`, ""},
		{`{"unified":{"a.b":"1","c.d":"2"}}`, `{"unified":{"c.d":"3"}}`, `{"unified":{"a.b":"1","c.d":"3"}}`, ""},
		{`{"rdma":{"x":{"hcaHandles":1}}}`, `{"rdma":{"x":{"hcaObjects":2},"y":{}}}`, `{"rdma":{"x":{"hcaHandles":1,"hcaObjects":2},"y":{}}}`, ""},
	} {
		for _, v2 := range []bool{true, false} {
			want := c.v2
			if !v2 && c.v1 != "" {
				want = c.v1
			}
			old, change := resourcesOf(t, c.old), resourcesOf(t, c.change)
			got, err := json.Marshal(Merge(old, change, v2))
			if err != nil || string(got) != want {
				t.Errorf("%s and %s, v2 %v: %s, %v; want %s", c.old, c.change, v2, got, err, want)
			}
			if !reflect.DeepEqual(old, resourcesOf(t, c.old)) || !reflect.DeepEqual(change, resourcesOf(t, c.change)) {
				t.Errorf("%s and %s: an argument has changed", c.old, c.change)
			}
		}
	}
}

// An update that fails in the middle is undone completely.
func TestLegacyUpdateTakenBack(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{})
	for _, name := range []string{"cpu", "memory"} {
		if g.legacy(name) == nil {
			t.Skipf("the host has no %s controller in cgroup v1", name)
		}
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	const files = "cpu.shares=x cpu.cfs_quota_us=x cpu.cfs_period_us=x cpu.cfs_burst_us=x cpu.idle=x memory.limit_in_bytes=x"
	update := func(old, change string) error {
		var u undo.Stack
		_, err := g.Update(&Change{Old: resourcesOf(t, old), Named: resourcesOf(t, change)}, &u)
		u.Unwind(&err)
		return err
	}
	const first = `{"cpu":{"shares":512,"quota":20000,"period":50000,"burst":1000},"memory":{"limit":67108864}}`
	if err := update(`{}`, first); err != nil {
		t.Fatal(err)
	}
	before := filesOf(g, files)
	err := update(first, `{"cpu":{"quota":30000,"period":60000,"burst":2000,"idle":1},"memory":{"limit":33554432,"reservation":1},"pids":{"limit":7},"unified":{"nosuch.max":"1"}}`)
	if err == nil || !strings.Contains(err.Error(), `linux.resources.unified["nosuch.max"]`) {
		t.Errorf("a controller that is not there: %v", err)
	}
	// This error is found only when the value is written.
	err = update(first, `{"cpu":{"quota":30000,"period":60000,"burst":2000,"idle":1},"memory":{"limit":33554432,"swappiness":7},"blockIO":{"throttleReadBpsDevice":[{"major":4095,"minor":4095,"rate":1}]}}`)
	f := (*FieldError)(nil)
	if !errors.As(err, &f) || f.Field != "linux.resources.blockIO.throttleReadBpsDevice[0]" {
		t.Errorf("a device that is not there: %v", err)
	}
	if after := filesOf(g, files); !reflect.DeepEqual(after, before) {
		t.Errorf("taken back to %q, it was %q", after, before)
	}
}

// v1 refuses a limit below the usage; the error names the field and says how many bytes
// are in use.
func TestLegacyUpdateBusy(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{})
	m := g.legacy("memory")
	if m == nil {
		t.Skip("the host has no memory controller in cgroup v1")
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	spawn(t, g, "eat-there")
	awaitEaten(t, m.path, "memory.usage_in_bytes")
	if n, err := os.ReadFile("/proc/swaps"); err == nil && strings.Count(string(n), "\n") > 1 {
		t.Skip("the host has swap to move memory to")
	}
	var u undo.Stack
	_, err := g.Update(&Change{Named: resourcesOf(t, `{"memory":{"limit":4194304}}`)}, &u)
	if f := (*FieldError)(nil); !errors.As(err, &f) || f.Field != "linux.resources.memory.limit" || !strings.Contains(err.Error(), "bytes are in use") {
		t.Errorf("a limit below what is in use: %v", err)
	}
}

// awaitEaten waits until the helper "eat" uses most of its 64 MiB.
func awaitEaten(t *testing.T, path, file string) {
	t.Helper()
	for deadline := soon(); ; time.Sleep(time.Millisecond) {
		n, err := strconv.Atoi(readFile(t, path, file))
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%s: %d, %v", file, n, err)
		}
		if n > 60<<20 {
			return
		}
	}
}

// With a limit below the usage v2 would kill: the memory is reclaimed first, or the
// limit is refused.
func TestUnifiedUpdateReclaims(t *testing.T) {
	if !isolated(t) {
		return
	}
	if have := readFile(t, "/sys/fs/cgroup/cgroup.controllers"); !hasField(have, "memory") {
		t.Skipf("no memory controller in cgroup v2: %q", have)
	}
	g := newGroup(t, Config{ID: "reclaim"})
	top := g.Paths()[""]
	if err := os.WriteFile(filepath.Join(top, "memory.swap.max"), []byte("0"), 0); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	pid := spawn(t, g, "eat")
	awaitEaten(t, top, "memory.current")
	var u undo.Stack
	change := &Change{Named: resourcesOf(t, `{"memory":{"limit":16777216}}`)}
	_, err := g.Update(change, &u)
	if f := (*FieldError)(nil); !errors.As(err, &f) || f.Field != "linux.resources.memory.limit" || !strings.Contains(err.Error(), "the kernel cannot reclaim enough") {
		t.Errorf("a limit below what is in use: %v", err)
	}
	if max, high := readFile(t, top, "memory.max"), readFile(t, top, "memory.high"); max != "max" || high != "max" {
		t.Errorf("memory.max %s, memory.high %s after a refusal", max, high)
	}
	if pids, err := g.Pids(); err != nil || len(pids) != 1 || pids[0] != pid {
		t.Errorf("after a refusal there are %v, %v", pids, err)
	}
	change.Force = true
	if _, err := g.Update(change, &u); err != nil {
		t.Errorf("forced: %v", err)
	}
	if high := readFile(t, top, "memory.high"); high != "max" {
		t.Errorf("memory.high %s after it was forced", high)
	}
}

func TestLegacyUpdateDevices(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{})
	m := g.legacy("devices")
	if m == nil {
		t.Skip("the host has no devices controller in cgroup v1")
	}
	if err := g.Limit(); err != nil {
		t.Fatal(err)
	}
	old := `{}`
	for _, c := range []struct{ change, want string }{
		{`{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"rw"}]}`, "null:ok,ok,ok kmsg:ok,ok,ok "},
		{`{"devices":[{"allow":true,"type":"c","major":1,"minor":11,"access":"r"}]}`, "null:ok,ok,ok kmsg:ok,ok,EPERM "},
		{`{"devices":[{"allow":true,"access":"rwm"}]}`, "null:ok,ok,ok kmsg:ok,ok,ok "},
		{`{"devices":[]}`, "null:ok,ok,ok kmsg:ok,EPERM,EPERM "},
	} {
		before := readFile(t, m.path, "devices.list")
		var u undo.Stack
		if _, err := g.Update(&Change{Old: resourcesOf(t, old), Named: resourcesOf(t, c.change)}, &u); err != nil {
			t.Fatalf("%s: %v", c.change, err)
		}
		if got := devicesIn(t, g, "after-stdin"); got != c.want {
			t.Errorf("%s: %q, want %q", c.change, got, c.want)
		}
		// Undo it, as after an error, and do it again.
		failed := errors.New("taken back")
		u.Unwind(&failed)
		if after := readFile(t, m.path, "devices.list"); sorted(after) != sorted(before) {
			t.Errorf("%s: taken back to %q, it was %q", c.change, after, before)
		}
		if _, err := g.Update(&Change{Old: resourcesOf(t, old), Named: resourcesOf(t, c.change)}, &u); err != nil {
			t.Fatal(err)
		}
		old = c.change
	}
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// When a list is replaced, the limits that are not in the new one are removed.
func TestDropped(t *testing.T) {
	for _, c := range []struct{ controller, old, change, v2, v1 string }{
		{"io", `{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":16,"rate":1}],"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":1}]}}`,
			`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":16,"rate":2}]}}`, "io.max=8:0 rbps=max", "blkio.throttle.read_bps_device=8:0 0"},
		{"io", `{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":100}]}}`, `{"blockIO":{"weightDevice":[]}}`, "io.bfq.weight=8:0 default", "blkio.bfq.weight_device=8:0 default"},
		{"io", `{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":100}]}}`, `{"blockIO":{"weight":100}}`, "", ""},
		{"hugetlb", `{"hugepageLimits":[{"pageSize":"2MB","limit":1}]}`, `{"hugepageLimits":[]}`, "hugetlb.2MB.max=max; hugetlb.2MB.rsvd.max=max", "hugetlb.2MB.limit_in_bytes=-1; hugetlb.2MB.rsvd.limit_in_bytes=-1"},
		{"net_prio", `{"network":{"priorities":[{"name":"lo","priority":3}]}}`, `{"network":{"priorities":[]}}`, "net_prio.ifpriomap=lo 0", "net_prio.ifpriomap=lo 0"},
	} {
		for _, v2 := range []bool{true, false} {
			want := c.v1
			if v2 {
				want = c.v2
			}
			var got []string
			for _, s := range dropped(c.controller, resourcesOf(t, c.old), resourcesOf(t, c.change), v2) {
				got = append(got, s.file+"="+s.value)
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%s to %s, v2 %v: %q, want %q", c.old, c.change, v2, got, want)
			}
		}
	}
}

// A limit that the kernel ignores is an error, at create too.
func TestLegacyKernelMemory(t *testing.T) {
	legacyHost(t)
	g := newGroup(t, Config{Resources: resourcesOf(t, `{"memory":{"kernel":67108864}}`)})
	m := g.legacy("memory")
	if m == nil {
		t.Skip("the host has no memory controller in cgroup v1")
	}
	err := g.Limit()
	took := false
	if s, readErr := m.read(kernelMemory); readErr == nil {
		took = s == "67108864"
	}
	if f := (*FieldError)(nil); took != (err == nil) || err != nil && (!errors.As(err, &f) || f.Field != "linux.resources.memory.kernel") {
		t.Errorf("the kernel took it: %v; %v", took, err)
	}
}
