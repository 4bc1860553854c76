// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"encoding"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// decodeFast decodes ordinary documents, to the same as encoding/json.
func TestDecodeFast(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, want := new(specs.Spec), new(specs.Spec)
		if !decodeFast(raw, got) {
			t.Errorf("%s: left to encoding/json", file)
		}
		if err := json.Unmarshal(raw, want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: decoded to\n%+v\nexpected\n%+v", file, got, want)
		}
	}
}

// decodeFast decodes a document to the same as encoding/json, or not at all.
func TestDecodeFastOrNot(t *testing.T) {
	for doc, fast := range map[string]bool{
		`{}`: true, ` { } `: true, `{"ociVersion":"1.0.0"}`: true,
		`{"annotations":{"a":"\u00e9\n\/\"","b":"é"}}`: true,
		`{"mounts":[]}`:                                           true,
		`{"mounts":null,"process":null}`:                          true,
		`{"process":{"oomScoreAdj":-5,"user":{"uid":0}}}`:         true,
		`{"nosuch":[1,-2,{"a":[true,false,null,"x"]}]}`:           true,
		`{"process":{"rlimits":[{"hard":18446744073709551615}]}}`: true,

		``: false, `{`: false, `[]`: false, `{}x`: false, `{"a"}`: false, `{"a":}`: false, `{"a":1,}`: false,
		`{"nosuch":01}`: false, `{"nosuch":-}`: false, `{"nosuch":1.5}`: false, `{"nosuch":tru}`: false,
		`{"nosuch":[1,]}`: false, "{\"a\":\"\n\"}": false, "{\"a\":\"\xff\"}": false, `{"a":"\x"}`: false,
		`{"a":"\ud83d\ude00"}`: false, `{"a":"\u12"}`: false, `{"a":"`: false, `{"a":"\`: false,
		`{"ociversion":"1.0.0"}`:                                             false, // another case
		`{"mounts":[],"mounts":[]}`:                                          false,
		`{"annotations":{"a":"1","a":"2"}}`:                                  false,
		`{"process":{"user":{"uid":-1}}}`:                                    false,
		`{"process":{"user":{"uid":4294967296}}}`:                            false,
		`{"process":{"oomScoreAdj":1.0}}`:                                    false,
		`{"process":{"oomScoreAdj":"1"}}`:                                    false,
		`{"process":{"terminal":"yes"}}`:                                     false,
		`{"process":{"args":"sh"}}`:                                          false,
		`{"process":[]}`:                                                     false,
		`{"linux":{"resources":{"blockIO":{"weightDevice":[{"major":8}]}}}}`: false,
		`{"windows":{"credentialSpec":{"a":1}}}`:                             false,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100):        false,
	} {
		got, want := new(specs.Spec), new(specs.Spec)
		if is := decodeFast([]byte(doc), got); is != fast {
			t.Errorf("%s: decoded here: %v", doc, is)
			continue
		}
		err := json.Unmarshal([]byte(doc), want)
		if fast && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%s: decoded to %+v, by encoding/json to %+v, %v", doc, got, want, err)
		}
	}
}

// The types of the specification need nothing that decodeFast does not support.
func TestDecodeFastTypes(t *testing.T) {
	checkType(t, reflect.TypeFor[specs.Spec](), make(map[reflect.Type]bool))
}

func checkType(t *testing.T, typ reflect.Type, seen map[reflect.Type]bool) {
	if seen[typ] {
		return
	}
	seen[typ] = true
	p := reflect.PointerTo(typ)
	if p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		t.Errorf("%v decodes itself", typ)
	}
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		checkType(t, typ.Elem(), seen)
	case reflect.Struct:
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !f.Anonymous && name == "" || name == "-" || strings.Contains(options, "string") {
				t.Errorf("%v.%s: %q is not supported", typ, f.Name, f.Tag)
			}
			checkType(t, f.Type, seen)
		}
	}
}
