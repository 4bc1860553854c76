// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/plan"
	"github.com/skiff-oci/skiff/libcontainer/seccomp/bpf"
)

// Fuzzing needs -fuzzminimizetime 1x (make fuzz): otherwise Go spends the first minute on
// minimizing the first interesting input, byte by byte.

// FuzzCompile changes valid configurations: it replaces values, removes or duplicates
// members, and inserts values from elsewhere. Nearly all results are valid JSON, so they
// reach the compiler.
func FuzzCompile(f *testing.F) {
	m := newMutator(f)
	for i := range m.docs {
		f.Add([]byte{byte(i)})
		f.Add([]byte{byte(i), 0, 0, 9, 3, 1, 0, 17, 40, 2, 0, 3, 0, 3, 1, 30, 7})
	}
	f.Fuzz(func(t *testing.T, choices []byte) { checkCompile(t, m.mutate(choices)) })
}

// FuzzDecode changes the text of configurations, to test the decoder.
func FuzzDecode(f *testing.F) {
	for _, doc := range newMutator(f).docs {
		f.Add(doc.text)
	}
	f.Add([]byte(`{"process": {"args": ["\u0000"]}, "mounts": [1]}`))
	f.Fuzz(checkCompile)
}

// TestMutations does a little of both fuzz tests in every run.
func TestMutations(t *testing.T) {
	m := newMutator(t)
	r := rand.New(rand.NewSource(1))
	for range 2000 {
		choices := make([]byte, 1+4*(1+r.Intn(6)))
		r.Read(choices)
		checkCompile(t, m.mutate(choices))
	}
	for range 2000 {
		checkCompile(t, damage(r, m.docs[r.Intn(len(m.docs))].text))
	}
}

// TestEveryValue replaces each field by every value of words that has its kind, by null and
// by an empty list, and removes it.
func TestEveryValue(t *testing.T) {
	m := newMutator(t)
	seen := make(map[uint64]bool)
	for _, d := range m.docs { // the small ones come first
		for _, p := range d.places {
			if seen[p.field] {
				continue
			}
			seen[p.field] = true
			for _, value := range append(m.alike[0][kindOf(d.text[p.from])], []byte("null"), []byte("[]")) {
				checkCompile(t, changed(d.text, p, 0, value))
			}
			checkCompile(t, changed(d.text, p, 4, nil))
		}
	}
}

func damage(r *rand.Rand, doc []byte) []byte {
	b := bytes.Clone(doc)
	for range 1 + r.Intn(4) {
		at := r.Intn(len(b))
		switch r.Intn(3) {
		case 0:
			b[at] = byte(r.Intn(256))
		case 1:
			b = slices.Delete(b, at, min(at+r.Intn(30), len(b)-1))
		case 2:
			b = slices.Insert(b, at, b[at:min(at+r.Intn(30), len(b))]...)
		}
	}
	return b
}

// checkCompile checks properties that hold for every document:
//   - the decoder accepts what encoding/json accepts, with the same result, except for NUL
//     bytes;
//   - an error is one line, and each violation names a field that exists or could exist;
//   - compilation is quick, does not change the configuration, and gives the same result
//     again.
func checkCompile(t *testing.T, raw []byte) {
	t.Helper()
	start := time.Now()
	whole := new(specs.Spec)
	wholeErr := json.Unmarshal(raw, whole)
	spec, err := decodeSpec(raw)
	if err != nil {
		oneLine(t, err)
		if wholeErr == nil && !strings.Contains(err.Error(), "NUL") {
			t.Errorf("%s: %v, and encoding/json decodes it", raw, err)
		}
		return
	}
	if wholeErr != nil || !reflect.DeepEqual(spec, whole) {
		t.Errorf("%s: decoded to %+v, by encoding/json to %+v, %v", raw, spec, whole, wholeErr)
	}
	one := checkOnce(t, spec, func() (*plan.Launch, []Warning, error) { return Compile(spec, options) })
	two := checkOnce(t, spec, func() (*plan.Launch, []Warning, error) { return Compile(spec, options) })
	if !reflect.DeepEqual(one, two) {
		t.Errorf("%s: %+v, then %+v", raw, one, two)
	}
	if p := spec.Process; p != nil {
		inProcess := &specs.Spec{Process: p}
		l, _, err := CompileExec(spec, p, options)
		if (l == nil) == (err == nil) {
			t.Errorf("%s: exec: %v, %v", raw, l, err)
		}
		for _, v := range faults(err) {
			if reaches(reflect.ValueOf(inProcess), "process."+v.Path) != nil && reaches(reflect.ValueOf(spec), v.Path) != nil {
				t.Errorf("%s: exec: %v: there is no such field", raw, v)
			}
		}
	}
	if !reflect.DeepEqual(spec, whole) {
		t.Errorf("%s: compiling it made %+v of %+v", raw, spec, whole)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("%s: took %v", raw, d)
	}
}

type compiled struct {
	launch   *plan.Launch
	warnings []Warning
	err      string
}

func checkOnce(t *testing.T, spec *specs.Spec, compile func() (*plan.Launch, []Warning, error)) compiled {
	t.Helper()
	l, warnings, err := compile()
	if (l == nil) == (err == nil) {
		t.Errorf("compiled to %v, %v", l, err)
	}
	if err != nil {
		oneLine(t, err)
	}
	for _, v := range faults(err) {
		if why := reaches(reflect.ValueOf(spec), v.Path); why != nil {
			t.Errorf("%v: %v", v, why)
		}
	}
	for _, w := range warnings {
		if why := reaches(reflect.ValueOf(spec), w.Path); why != nil || strings.ContainsAny(w.String(), "\n\x00") {
			t.Errorf("warning %q: %v", w, why)
		}
	}
	return compiled{l, warnings, text(err)}
}

func faults(err error) Violations {
	v, _ := err.(Violations)
	return v
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if s := err.Error(); s == "" || strings.ContainsAny(s, "\n\r\x00") {
		t.Errorf("the error is not one line: %q", s)
	}
}

// reaches returns an error if a path does not lead to a part of v. In the path, names are
// fields, [n] is an element that must exist, and ["k"] a key that must exist. Below a nil
// pointer only the types are checked, as an error may be about a missing field.
func reaches(v reflect.Value, path string) error {
	for path != "" {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v = reflect.New(v.Type().Elem())
			}
			v = v.Elem()
		}
		var err error
		switch {
		case strings.HasPrefix(path, `["`):
			v, path, err = reachKey(v, path)
		case path[0] == '[':
			v, path, err = reachElement(v, path)
		default:
			v, path, err = reachField(v, strings.TrimPrefix(path, "."))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func reachKey(v reflect.Value, path string) (reflect.Value, string, error) {
	quoted, err := strconv.QuotedPrefix(path[1:])
	if err != nil || v.Kind() != reflect.Map {
		return v, "", fmt.Errorf("%s: no key of a %v", path, v.Type())
	}
	key, err := strconv.Unquote(quoted)
	if err != nil {
		return v, "", err
	}
	found := v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key()))
	if !found.IsValid() {
		return v, "", fmt.Errorf("%s: no such key", path)
	}
	at := reflect.New(found.Type()).Elem()
	at.Set(found)
	return at, strings.TrimPrefix(path[1+len(quoted):], "]"), nil
}

func reachElement(v reflect.Value, path string) (reflect.Value, string, error) {
	digits, rest, _ := strings.Cut(path[1:], "]")
	i, err := strconv.Atoi(digits)
	if err != nil || v.Kind() != reflect.Slice || i < 0 || i >= v.Len() {
		return v, "", fmt.Errorf("%s: no such element", path)
	}
	return v.Index(i), rest, nil
}

func reachField(v reflect.Value, path string) (reflect.Value, string, error) {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	if v.Kind() != reflect.Struct {
		return v, "", fmt.Errorf("%s: no field of a %v", path, v.Type())
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name == path[:end] {
			return v.Field(i), path[end:], nil
		}
	}
	return v, "", fmt.Errorf("%s: no such field", path)
}

// checkCompile depends on reaches.
func TestReaches(t *testing.T) {
	s := &specs.Spec{Mounts: []specs.Mount{{}}, Linux: &specs.Linux{Sysctl: map[string]string{"a.b": ""}}}
	for path, want := range map[string]bool{
		"root": true, "root.path": true, "mounts[0].options": true, `linux.sysctl["a.b"]`: true, "linux.seccomp.defaultAction": true,
		"mounts[0]": true, "mounts": true,
		"mounts[1]": false, "mounts[0].option": false, "roots": false, `linux.sysctl["a"]`: false, "linux.sysctl.a": false,
		"mounts.options": false, "root[0]": false, "mounts[0].options[0]": false, "process.env[0]": false,
	} {
		if err := reaches(reflect.ValueOf(s), path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// mutator changes documents according to a list of choices.
type mutator struct {
	docs   []mutable
	values [][]byte             // values to put in
	alike  [2]map[byte][][]byte // by kind: the values of words, and all values
}

// kindOf returns the kind of the JSON value that begins with c. Most values are replaced by
// ones of their kind: otherwise few documents would pass the decoder.
func kindOf(c byte) byte {
	switch {
	case '0' <= c && c <= '9', c == '-':
		return '0'
	case c == 't', c == 'f':
		return 't'
	}
	return c
}

// mutable is a JSON document and the places of its values.
type mutable struct {
	text   []byte
	places []place
}

// place is where a value is: text[from:to]. A member of an object begins at key; for an
// element of a list, key == from.
type place struct {
	field         uint64 // hash of the path, the same for all elements of a list
	key, from, to int
}

// everyField is a configuration with every field of the specification.
const everyField = "testdata/every/config.json"

func TestEveryField(t *testing.T) {
	raw, err := os.ReadFile(everyField)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := decodeSpec(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range specFields(reflect.TypeFor[specs.Spec](), "") {
		if field == "linux.personality.flags[]" {
			continue // the specification defines no flags
		}
		if !given(reflect.ValueOf(spec).Elem(), strings.FieldsFunc(field, func(r rune) bool { return r == '.' })) {
			t.Errorf("%s: there is no %s", everyField, field)
		}
	}
	_, _, err = Compile(spec, options)
	for _, v := range faults(err) {
		if !strings.HasSuffix(v.Text, "not supported yet") {
			t.Errorf("%s: %v", everyField, v)
		}
	}
}

// given reports whether v has something at a path of specFields. A number or a string may
// be zero.
func given(v reflect.Value, path []string) bool {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return false
		}
		v = v.Elem()
	}
	if len(path) == 0 {
		return true
	}
	name := strings.TrimRight(path[0], "[]{}")
	for i := range v.NumField() {
		f := v.Type().Field(i)
		json, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch at := v.Field(i); {
		case f.Anonymous && given(at, path):
			return true
		case json != name || f.Anonymous:
		case at.Kind() == reflect.Slice:
			for i := range at.Len() {
				if given(at.Index(i), path[1:]) {
					return true
				}
			}
			return false
		case at.Kind() == reflect.Map:
			for r := at.MapRange(); r.Next(); {
				if given(r.Value(), path[1:]) {
					return true
				}
			}
			return false
		default:
			return given(at, path[1:])
		}
	}
	return false
}

// newMutator uses the documents of everyField and of the example, and each part of them
// alone: small documents allow more tries per second.
func newMutator(t testing.TB) *mutator {
	t.Helper()
	m := new(mutator)
	for _, file := range []string{everyField, "testdata/example.json"} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range parts(t, raw) {
			doc = compacted(t, doc)
			m.docs = append(m.docs, mutable{doc, placesIn(doc)})
		}
	}
	m.values = append(words(), vocabulary()...)
	for _, d := range m.docs { // values from elsewhere
		for _, s := range d.places {
			if s.to-s.from < 300 {
				m.values = append(m.values, d.text[s.from:s.to])
			}
		}
	}
	for i, list := range [...][][]byte{words(), m.values} {
		m.alike[i] = make(map[byte][][]byte)
		for _, v := range list {
			m.alike[i][kindOf(v[0])] = append(m.alike[i][kindOf(v[0])], v)
		}
	}
	return m
}

// parts returns a minimal configuration, ones that add a single member of raw or of its
// linux object to that, and raw itself.
func parts(t testing.TB, raw []byte) [][]byte {
	t.Helper()
	var doc, linux map[string]json.RawMessage
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc["linux"], &linux); err != nil {
		t.Fatal(err)
	}
	with := func(name string, value any) []byte {
		part := map[string]any{"ociVersion": "1.3.0", "root": map[string]string{"path": "rootfs"}}
		if name != "" {
			part[name] = value
		}
		b, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	list := [][]byte{with("", nil)}
	for _, name := range sortedKeys(doc) {
		if name != "linux" {
			list = append(list, with(name, doc[name]))
		}
	}
	for _, name := range sortedKeys(linux) {
		list = append(list, with("linux", map[string]json.RawMessage{"namespaces": linux["namespaces"], name: linux[name]}))
	}
	return append(list, raw)
}

// compacted removes white space, so that the colon directly follows a key.
func compacted(t testing.TB, doc []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sortedKeys(m map[string]json.RawMessage) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// placesIn returns the places of the values in a document, which need not be valid JSON.
func placesIn(doc []byte) (list []place) {
	var open []int // indexes in list of the lists and objects that at is in
	key := -1
	begin := func(at int) {
		s := place{key: at, from: at, to: len(doc)}
		if len(open) > 0 {
			s.field = list[open[len(open)-1]].field*31 + 1
		}
		if key >= 0 {
			for _, c := range doc[key:at] {
				s.field = s.field*31 + uint64(c)
			}
			s.key, key = key, -1
		}
		list = append(list, s)
	}
	for at := 0; at < len(doc); {
		switch c := doc[at]; {
		case c == '{' || c == '[':
			begin(at)
			open = append(open, len(list)-1)
			at++
		case (c == '}' || c == ']') && len(open) > 0:
			at++
			list[open[len(open)-1]].to = at
			open = open[:len(open)-1]
		case strings.IndexByte(" \t\r\n,:}]", c) >= 0:
			at++
		default:
			end := scalar(doc, at)
			if c == '"' && end < len(doc) && doc[end] == ':' {
				key = at
			} else {
				begin(at)
				list[len(list)-1].to = end
			}
			at = end
		}
	}
	if len(list) < 2 {
		return nil
	}
	return list[1:] // without the document as a whole
}

// scalar returns the offset at which the string, number or word at offset at ends.
func scalar(doc []byte, at int) int {
	if doc[at] != '"' {
		for at++; at < len(doc) && strings.IndexByte(" \t\r\n,:}]{[\"", doc[at]) < 0; at++ {
		}
		return at
	}
	for at++; at < len(doc); at++ {
		switch doc[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(doc)
}

// words returns JSON values that are valid somewhere, and some that are valid nowhere.
func words() (list [][]byte) {
	for _, s := range []string{
		`null`, `true`, `false`, `{}`, `[]`, `""`, `[null]`, `[""]`, `{"":""}`, `{"a":{}}`, `[[]]`,
		`0`, `-0`, `1`, `-1`, `5`, `7`, `10`, `19`, `20`, `99`, `255`, `511`, `512`, `1000`, `1001`, `4095`, `4096`, `65535`, `65536`,
		`2147483647`, `2147483648`, `-2147483648`, `-2147483649`, `4294967294`, `4294967295`, `4294967296`,
		`9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `18446744073709551615`, `18446744073709551616`, `1.5`, `1e3`, `01`,
		`"/"`, `"."`, `".."`, `"/.."`, `"x"`, `"/x"`, `"//x/./y/../z"`, `"rootfs"`, `"/proc"`, `"/proc/self"`, `"/proc/uptime"`, `"/dev"`, `"/dev/ptmx"`, `"/dev/null"`,
		`"A=B"`, `"=B"`, `"A="`, `"A"`, `"A=\nB"`, `"a\u0000b"`, `"\n"`, `"\ud83d\ude00"`, `"\ud83d"`, `"é"`, "\"\xff\"", `"` + strings.Repeat("x", 300) + `"`,
		`"bind"`, `"tmpfs"`, `"cgroup"`, `"c"`, `"b"`, `"p"`, `"u"`, `"a"`, `"rwm"`, `"size=1k"`, `"=x"`, `"idmap=x"`, `"0-3"`, `"3-0"`, `"0,2-4,,"`, `"99999999999"`,
		`"1.0.0"`, `"1.3.0-rc.1+x"`, `"2.0.0"`, `"1"`, `"net.ipv4.ip_forward"`, `"kernel.domainname"`, `"kernel/shmmax"`, `"user.max_user_namespaces"`,
		`"RLIMIT_NOFILE"`, `"boottime"`, `"monotonic"`, `"LINUX32"`, `"MPOL_BIND"`, `"MPOL_F_STATIC_NODES"`, `"SCHED_DEADLINE"`, `"SCHED_OTHER"`, `"IOPRIO_CLASS_RT"`,
		`{"net.core.somaxconn":"1","kernel.hostname":"x","net/../x":"1","a\nb":"1"}`, `{"x.y":"a\u0000"}`, `{"a\nb":"\u0000"}`,
		`{"containerID":0,"hostID":4294967295,"size":4294967295}`, `[{"containerID":0,"hostID":0,"size":1},{"containerID":0,"hostID":5,"size":1}]`,
	} {
		list = append(list, []byte(s))
	}
	return list
}

// vocabulary returns words that the compiler knows, as JSON strings.
func vocabulary() (list [][]byte) {
	add := func(names ...string) {
		for _, n := range names {
			list = append(list, []byte(strconv.Quote(n)))
		}
	}
	for _, o := range mountOptions {
		add(o.name)
	}
	for _, n := range plan.NamespaceTypes {
		add(string(n.Type))
	}
	add(plan.CapabilityNames[:5]...)
	add(bpf.Actions[:]...)
	add(bpf.Operators[:]...)
	add(bpf.Archs[:3]...)
	add(bpf.FlagWords()...)
	return list
}

// mutate changes the document that the first byte selects. Each change takes four more
// bytes: what to do, the place (two bytes), and the value. Places are found anew after each
// change.
func (m *mutator) mutate(choices []byte) []byte {
	if len(choices) == 0 {
		choices = []byte{0}
	}
	d := m.docs[int(choices[0])%len(m.docs)]
	const most = 8 // changes: more only make it slower
	for c := choices[1:min(len(choices), 1+4*most)]; len(c) >= 4 && len(d.places) > 0; c = c[4:] {
		s := d.places[(int(c[1])<<8|int(c[2]))%len(d.places)]
		values := m.alike[c[3]&1][kindOf(d.text[s.from])]
		if c[0]&7 == 3 || len(values) == 0 {
			values = m.values
		}
		value := values[(int(c[0])>>3<<7|int(c[3])>>1)%len(values)]
		d = mutable{text: changed(d.text, s, c[0]&7, value)}
		if len(c) >= 8 {
			d.places = placesIn(d.text)
		}
	}
	return d.text
}

func changed(doc []byte, s place, what byte, value []byte) []byte {
	splice := func(from, to int, with ...[]byte) []byte {
		return slices.Concat(doc[:from], bytes.Join(with, nil), doc[to:])
	}
	switch what {
	case 4: // remove it
		from, to := s.key, s.to
		if to < len(doc) && doc[to] == ',' {
			to++
		} else if from > 0 && doc[from-1] == ',' {
			from--
		}
		return splice(from, to)
	case 5: // duplicate it, perhaps with another value
		if len(value)%2 == 0 {
			value = doc[s.from:s.to]
		}
		return splice(s.to, s.to, []byte(","), doc[s.key:s.from], value)
	case 6: // change the case of the key
		return splice(s.key, s.from, bytes.ToUpper(doc[s.key:s.from]))
	case 7: // put it in a list
		return splice(s.from, s.to, []byte("["), doc[s.from:s.to], []byte(","), value, []byte("]"))
	}
	return splice(s.from, s.to, value)
}

func BenchmarkMutations(b *testing.B) {
	m := newMutator(b)
	r := rand.New(rand.NewSource(1))
	choices := make([]byte, 17)
	for b.Loop() {
		r.Read(choices)
		checkCompile(new(testing.T), m.mutate(choices))
	}
}
