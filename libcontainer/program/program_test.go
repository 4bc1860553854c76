// SPDX-License-Identifier: Apache-2.0

package program

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/wire"
	"golang.org/x/sys/unix"
)

// every has one operation of each type.
var every = []Operation{
	NoDump{}, Unshare{}, Setns{}, TimeNS{}, Fork{}, Sync{}, Await{}, Setsid{}, Keyring{}, Hostname{}, Domain{}, LinkUp{}, Network{}, Write{}, OOMScore{}, Close{},
	BecomeRoot{}, Files{},
	Propagate{}, FSMount{}, OpenTree{}, Again{}, SetAttr{}, IDMap{}, Attach{}, Attach{CopyUp: true}, Mount2{}, Remount{}, Unmount{}, WorkDir{},
	Pivot{}, MoveRoot{}, Chroot{}, Mask{}, Readonly{},
	Mknod{}, Symlink{}, MakeConsole{}, DevNull{},
	Hook{}, Umask{}, Groups{}, SetID{}, Stdio{}, Bounding{}, KeepCaps{}, Caps{}, Ambient{}, NoNewPrivs{}, Seccomp{}, Chdir{}, Lookup{}, Home{}, Rlimit{},
	Sched{}, IOPriority{}, Affinity{}, Personality{}, MemoryPolicy{}, Attr{Files: []string{"x"}}, Label{}, KeepFDs{}, Listen{}, Exec{},
}

// Each kind is that of one type, in the order of the list, and can be described.
func TestEveryKind(t *testing.T) {
	if len(every) != len(Kinds()) {
		t.Fatalf("%d types are listed, there are %d kinds", len(every), len(Kinds()))
	}
	for i, k := range Kinds() {
		op := every[i]
		if KindOf(op) != k {
			t.Errorf("%T is %s, expected %s", op, KindOf(op), k)
		}
		if KindNamed(k.String()) != k {
			t.Errorf("%s is the name of %s", k, KindNamed(k.String()))
		}
		if op.what() == "" || !strings.HasPrefix((Entry{op, ""}).String(), k.String()+"(") || !strings.HasPrefix((Entry{op, ""}).Brief(), k.String()+"(") {
			t.Errorf("%T: %q, %s", op, op.what(), Entry{op, ""})
		}
	}
	if kinds.String() != "invalid" || KindNamed("nosuch") != 0 || KindNamed("invalid") != 0 {
		t.Error("there is a name for what is no kind")
	}
}

// Each bool of an operation sets one bit of its flags, a different one for each, or
// changes something else in the encoded form.
func TestFlags(t *testing.T) {
	for _, op := range every {
		seen := make(map[uint32]string)
		v := reflect.New(reflect.TypeOf(op)).Elem()
		v.Set(reflect.ValueOf(op))
		for _, name := range switches(v.Type()) {
			changed := reflect.New(v.Type()).Elem()
			changed.Set(v)
			changed.FieldByName(name).SetBool(true)
			was, is := op.code(), changed.Interface().(Operation).code()
			bit := was.flags ^ is.flags
			if bit == 0 && reflect.DeepEqual(was, is) && KindOf(op) != kindCopyUp {
				t.Errorf("%T.%s changes nothing", op, name)
			}
			if bit&(bit-1) != 0 || bit != 0 && seen[bit] != "" {
				t.Errorf("%T.%s is flag %d, and so is %s", op, name, bit, seen[bit])
			}
			seen[bit] = name
		}
	}
	names := make(map[string]bool)
	for _, f := range Flags() {
		if f.Value == 0 || f.Value&(f.Value-1) != 0 || names[f.Name] {
			t.Errorf("%+v", f)
		}
		names[f.Name] = true
	}
}

// switches are the names of the fields that are bool, embedded ones included.
func switches(of reflect.Type) (names []string) {
	for _, f := range reflect.VisibleFields(of) {
		if f.Type.Kind() == reflect.Bool {
			names = append(names, f.Name)
		}
	}
	return names
}

func example() *Program {
	p := &Program{TimerSlack: 50000, Traces: true}
	root := p.Inherit(1)
	out := p.NewSlot()
	p.Add("", NoDump{})
	p.Add("mounts[0]", FSMount{Out: out, Type: "tmpfs", Options: []string{"size=64k"}, Set: 2, On: "/dev"})
	p.Add("mounts[0]", Attach{Mount: out, Root: root, Destination: "/dev", Place: Place{Mode: true}})
	p.Add("", Groups{GIDs: []uint32{1, 2}})
	p.Add("", KeepFDs{First: 5, Numbers: []int{3, 7}})
	p.Add("", Exec{Args: []string{"sh", ""}, Env: []string{"A=1"}})
	return p
}

// The encoded form is decoded as the child does it.
func TestEncode(t *testing.T) {
	p := example()
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	le := binary.NativeEndian
	for at, want := range map[int]uint32{0: magic, 4: 6, 8: 7, 12: 6} {
		if got := le.Uint32(b[at:]); got != want {
			t.Errorf("header: %d at %d, expected %d", got, at, want)
		}
	}
	if le.Uint64(b[16:]) != 50000 || le.Uint64(b[24:]) != 1 {
		t.Error("header: timer slack or traces")
	}
	for i := range p.Ops {
		if got, want := decode(b, i), p.Ops[i].code(); !reflect.DeepEqual(got, want) {
			t.Errorf("operation %d is\n%+v\nexpected\n%+v", i, got, want)
		}
	}
}

// Numbers in the data are in the byte order of this machine.
func TestData(t *testing.T) {
	le := binary.NativeEndian
	for _, data := range [][]byte{Groups{GIDs: []uint32{1, 0x01020304}}.code().data, KeepFDs{Numbers: []int{1, 0x01020304}}.code().data} {
		if len(data) != 8 || le.Uint32(data) != 1 || le.Uint32(data[4:]) != 0x01020304 {
			t.Errorf("% x", data)
		}
	}
}

// decode reads operation i of an encoded program.
func decode(b []byte, i int) code {
	le := binary.NativeEndian
	r := b[HeaderSize+RecordSize*i:][:RecordSize]
	slot := func(at int) Slot {
		if n := int32(le.Uint32(r[at:])); n >= 0 {
			return Slot(n)
		}
		return NoSlot
	}
	c := code{kind: Kind(le.Uint32(r[0:])), flags: le.Uint32(r[4:]), a: slot(8), b: slot(12)}
	for j := range c.n {
		c.n[j] = le.Uint64(r[16+8*j:])
	}
	rest := b[le.Uint32(r[40:]):]
	for range le.Uint32(r[52:]) {
		end := bytes.IndexByte(rest, 0)
		c.s = append(c.s, string(rest[:end]))
		rest = rest[end+1:]
	}
	if n := le.Uint32(r[48:]); n > 0 {
		at := le.Uint32(r[44:])
		if at%8 != 0 {
			panic(fmt.Sprintf("data at %d", at))
		}
		c.data = b[at : at+n]
	}
	return c
}

// The fields of a record are at the offsets where the child looks for them.
func TestLayout(t *testing.T) {
	size := map[string]uint32{"kind": 4, "flags": 4, "a": 4, "b": 4, "n": 24, "strings": 4, "data": 4, "data_len": 4, "nstrings": 4}
	next := uint32(0)
	for _, m := range Layout() {
		if m.Value != next {
			t.Errorf("%s is at %d, expected %d", m.Name, m.Value, next)
		}
		next += size[m.Name]
	}
	if next != RecordSize {
		t.Errorf("the members have %d bytes, a record has %d", next, RecordSize)
	}
}

func TestEncodeTooLong(t *testing.T) {
	p := new(Program)
	p.Add("", Exec{Args: []string{strings.Repeat("x", MaxSize)}})
	if _, err := p.Encode(); err == nil || !strings.Contains(err.Error(), "the arguments and the environment are too long") {
		t.Errorf("%v", err)
	}
}

func TestInherit(t *testing.T) {
	p := new(Program)
	if s := p.Inherit(2); s != SlotFirst || p.Inherited != int(SlotFirst)+2 {
		t.Errorf("slot %d, %d inherited", s, p.Inherited)
	}
	if s := p.NewSlot(); s != SlotFirst+2 {
		t.Errorf("slot %d", s)
	}
	defer func() {
		if recover() == nil {
			t.Error("a slot is inherited after one that is not")
		}
	}()
	p.Inherit(1)
}

func TestScript(t *testing.T) {
	sync := func(m wire.Type) Operation { return Sync{Message: m} }
	for name, tt := range map[string]struct {
		ops  []Operation
		want []wire.Type
	}{
		"nothing":            {nil, nil},
		"maps":               {[]Operation{sync(wire.Maps)}, []wire.Type{wire.Maps}},
		"mount":              {[]Operation{sync(wire.Mount)}, []wire.Type{wire.Mount}},
		"fork":               {[]Operation{Fork{}}, []wire.Type{wire.Forked}},
		"console":            {[]Operation{MakeConsole{}}, []wire.Type{wire.Console}},
		"idmapped":           {[]Operation{IDMap{}}, []wire.Type{wire.IDMap}},
		"filter":             {[]Operation{Seccomp{}}, nil},
		"filter, listener":   {[]Operation{Seccomp{Listener: true}}, []wire.Type{wire.Listener}},
		"the runtime's word": {[]Operation{Await{Message: wire.Go}}, nil},
		"all, in order": {
			[]Operation{Await{Message: wire.Go}, sync(wire.Maps), Fork{}, IDMap{}, IDMap{}, MakeConsole{}, sync(wire.Mounted), sync(wire.Ready), Seccomp{Listener: true}},
			[]wire.Type{wire.Maps, wire.Forked, wire.IDMap, wire.IDMap, wire.Console, wire.Mounted, wire.Ready, wire.Listener},
		},
	} {
		p := new(Program)
		for _, op := range tt.ops {
			p.Add("", op)
		}
		if got := p.Script(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, expected %v", name, got, tt.want)
		}
	}
}

// No other operation makes the child wait for an answer.
func TestScriptOfOthers(t *testing.T) {
	speaks := []Kind{kindSync, kindFork, kindConsole, kindIDMap}
	for _, op := range every {
		p := new(Program)
		p.Add("", op)
		if got := p.Script(); (len(got) > 0) != slices.Contains(speaks, KindOf(op)) {
			t.Errorf("%s: %v", p.Ops[0], got)
		}
	}
}

// The step of an operation that is left to start has the same error message.
func TestStep(t *testing.T) {
	failed := wire.Message{Errno: unix.EPERM}
	p := new(Program)
	for _, op := range []Operation{
		Listen{Socket: 5}, Hook{Path: "/h", Args: []string{"h"}}, KeepFDs{}, Files{}, Rlimit{Name: "RLIMIT_CORE", Hard: 1}, NoNewPrivs{}, Seccomp{BPF: []byte{1}},
		Caps{Effective: 1}, Exec{Args: []string{"sh", "-c"}, Env: []string{"SECRET=1"}},
	} {
		p.Add("f", op)
	}
	for i := range p.Ops {
		s := p.Step(i)
		if got, want := s.Entry().Describe(failed).Error(), p.Ops[i].Describe(failed).Error(); got != want {
			t.Errorf("%s: %s, expected %s", p.Ops[i], got, want)
		}
		if strings.Contains(fmt.Sprint(s), "SECRET") {
			t.Errorf("%+v has an environment", s)
		}
	}
	if got := (Step{Kind: kindUmask, Field: "f"}).Entry().Describe(failed).Error(); got != "f: umask: operation not permitted" {
		t.Error(got)
	}
	if got := (Step{}).Entry().What(); got != "run the launch program" {
		t.Error(got)
	}
}

func TestListing(t *testing.T) {
	want := `  0  nodump()
  1  fsmount("tmpfs", "", "size=64k", nosuid) = #6                        # mounts[0]
  2  attach(#6, #5, "/dev", flags=mode)                                   # mounts[0]
  3  setgroups(data[8])
  4  keepfds(#5, data[8])
  5  exec("sh", "", "A=1", 2, 1)
`
	if got := example().String(); got != want {
		t.Errorf("\n%s\nexpected\n%s", got, want)
	}
	for _, c := range []struct {
		op   Operation
		want string
	}{
		{SetID{}, "setid(0, 0)"},
		{Rlimit{Name: "R", Resource: 7, Soft: 5, Hard: ^uint64(0)}, `rlimit("R", 7, 5, unlimited)`},
		{Umask{Mask: 0o22}, "umask(022)"},
		{Setns{To: 5, Namespaces: unix.CLONE_NEWNET}, "setns(#5, network)"},
		{Remount{Mount: 7, Root: 5, Path: "/x"}, `remount(#5, "/x") = #7`},
		{Remount{Mount: 7, Path: "/x", Attributes: Attributes{Clear: 1}}, `remount(#7, "/x", none, ro)`},
		{OpenTree{Out: 7, From: 5, Path: "/in", Source: "/src", InRoot: true}, `opentree(#5, "/src", "/in", flags=in-root) = #7`},
		{OpenTree{Out: 7, From: 7, Path: "/src", Found: true}, `opentree(#7, "/src", flags=found) = #7`},
		{WorkDir{Path: "/x"}, `workdir("/x")`},
		{WorkDir{Directory: 5, Path: "/x"}, `workdir(#5, "/x")`},
		{FSMount{Out: 7, Type: "proc", Source: "proc", HostTree: "/proc", HostAttr: Attributes{Set: 1, Propagation: unix.MS_SHARED}}, `fsmount("proc", "proc", none, ro, shared, data[6]) = #7`},
		{FSMount{Out: 7, Type: "mqueue", Label: "a:b"}, `fsmount("mqueue", "", "a:b", flags=label) = #7`},
	} {
		if got := (Entry{c.op, ""}).String(); got != c.want {
			t.Errorf("%s, expected %s", got, c.want)
		}
	}
}

// Every flag has the name in listings that it has in the child, without the kind.
func TestFlagNames(t *testing.T) {
	listed := make(map[string]bool)
	for _, k := range Kinds() {
		for i, name := range k.flagNames() {
			listed[fmt.Sprint(name, uint32(1)<<i)] = true
		}
	}
	for _, f := range Flags() {
		_, name, whole := strings.Cut(f.Name, "_")
		if !whole {
			name = f.Name
		}
		if name = strings.ToLower(strings.ReplaceAll(name, "_", "-")); !listed[fmt.Sprint(name, f.Value)] {
			t.Errorf("%s (%#x) has no name in listings", f.Name, f.Value)
		}
	}
	for _, c := range []struct {
		n    uint64
		want string
	}{{0, "none"}, {unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV, "ro|nodev"}, {1 | 1<<40, "ro|0x10000000000"}} {
		if got := bitNames(c.n, attributeNames[:]); got != c.want {
			t.Errorf("%#x: %s, expected %s", c.n, got, c.want)
		}
	}
}

func TestBrief(t *testing.T) {
	for _, c := range []struct {
		op   Operation
		want string
	}{
		{FSMount{Type: "overlay", On: "/x", Options: []string{"lowerdir=/a:/b", "ro"}}, "fsmount(overlay on /x (lowerdir=/a:/b,ro))"},
		{Mount2{Type: "cifs", On: "/x", Options: "user=a,password=secret"}, "mount(cifs on /x (user=a,password=...))"},
		{FSMount{Type: "tmpfs", Options: []string{"mode=755"}}, "fsmount(tmpfs)"},
		{SetAttr{On: "/x"}, "setattr(/x)"},
		{OpenTree{Path: "3", Source: "/src"}, "opentree(/src)"},
		{Remount{Path: "/x", Options: []string{"size=1m"}}, "remount(/x (size=1m))"},
		{Exec{Env: []string{"SECRET=1"}}, "exec()"},
		{Hook{Path: "/h", Env: []string{"SECRET=1"}}, "hook(/h)"},
		{Lookup{Name: "sh", Candidates: []string{"/bin/sh"}}, "lookup(sh)"},
		{Setsid{}, "setsid()"},
		{Unshare{unix.CLONE_NEWNS | unix.CLONE_NEWUTS}, "unshare(mount|uts)"},
		{Setns{Namespaces: unix.CLONE_NEWNET}, "setns(network)"},
		{Sync{Message: wire.Ready}, "sync(ready)"},
		{Await{wire.Go}, "await(go)"},
	} {
		if got := (Entry{c.op, ""}).Brief(); got != c.want {
			t.Errorf("%s, expected %s", got, c.want)
		}
	}
}

func TestOptionList(t *testing.T) {
	long := strings.Repeat("lowerdir=/a:", 40)
	for _, c := range []struct {
		options []string
		want    string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"size=1m", "mode=755"}, " (size=1m,mode=755)"},
		{[]string{"pass=x,user=y"}, " (pass=...,user=y)"},
		{[]string{"secret=x"}, " (secret=...)"},
		{[]string{long}, " (" + long[:240] + "...)"},
		{[]string{"lowerdir=" + strings.Repeat("é", 200)}, " (lowerdir=" + strings.Repeat("é", 115) + "...)"},
	} {
		if got := optionList(c.options); got != c.want {
			t.Errorf("%q: %q, expected %q", c.options, got, c.want)
		}
	}
}
