package wire

import (
	"os"
	"slices"
	"testing"

	"github.com/skiff-oci/skiff/libcontainer/plan"
)

// sync is the operation that sends a message and waits for the answer.
func sync(m Type) plan.Op { return plan.Op{Kind: plan.OpSync, N: [3]uint64{uint64(m)}} }

func filter(listener bool) plan.Op {
	op := plan.Op{Kind: plan.OpSeccomp, Data: make([]byte, 8)}
	if listener {
		op.Flags = 1
	}
	return op
}

func program(ops ...plan.Op) *plan.Program {
	p := new(plan.Program)
	for _, op := range ops {
		p.Add(op)
	}
	return p
}

func TestScript(t *testing.T) {
	fork, console, idmap := plan.Op{Kind: plan.OpFork}, plan.Op{Kind: plan.OpConsole}, plan.Op{Kind: plan.OpIDMap}
	for name, tt := range map[string]struct {
		ops  []plan.Op
		want []Type
	}{
		"nothing":            {nil, nil},
		"maps":               {[]plan.Op{sync(Maps)}, []Type{Maps}},
		"mounted":            {[]plan.Op{sync(Mounted)}, []Type{Mounted}},
		"ready":              {[]plan.Op{sync(Ready)}, []Type{Ready}},
		"mount":              {[]plan.Op{sync(Mount)}, []Type{Mount}},
		"fork":               {[]plan.Op{fork}, []Type{Forked}},
		"console":            {[]plan.Op{console}, []Type{Console}},
		"idmapped":           {[]plan.Op{idmap}, []Type{IDMap}},
		"filter":             {[]plan.Op{filter(false)}, nil},
		"filter, listener":   {[]plan.Op{filter(true)}, []Type{Listener}},
		"the runtime's word": {[]plan.Op{{Kind: plan.OpAwait, N: [3]uint64{uint64(Go)}}}, nil},
		"all, in order": {
			[]plan.Op{{Kind: plan.OpAwait, N: [3]uint64{uint64(Go)}}, sync(Maps), fork, idmap, idmap, console, sync(Mounted), sync(Ready), filter(true)},
			[]Type{Maps, Forked, IDMap, IDMap, Console, Mounted, Ready, Listener},
		},
	} {
		if got := Script(program(tt.ops...)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, expected %v", name, got, tt.want)
		}
	}
}

// No other operation has the child wait for an answer.
func TestScriptOfOthers(t *testing.T) {
	for k := plan.Kind(1); k.String() != "invalid"; k++ {
		got := Script(program(plan.Op{Kind: k, N: [3]uint64{uint64(Ready)}}))
		speaks := slices.Contains([]plan.Kind{plan.OpSync, plan.OpFork, plan.OpConsole, plan.OpIDMap}, k)
		if (len(got) > 0) != speaks {
			t.Errorf("%s: %v", k, got)
		}
	}
}

func TestAccept(t *testing.T) {
	file := os.Stdin
	for name, tt := range map[string]struct {
		script []Type
		m      Message
		rest   []Type
		err    string
	}{
		"in turn":               {[]Type{Maps, Ready}, Message{Type: Maps}, []Type{Ready}, ""},
		"the last":              {[]Type{Ready}, Message{Type: Ready}, nil, ""},
		"the one after it":      {[]Type{Maps, Ready}, Message{Type: Ready}, nil, "handshake: ready, expected maps"},
		"again":                 {[]Type{Ready}, Message{Type: Maps}, nil, "handshake: maps, expected ready"},
		"one too many":          {nil, Message{Type: Ready}, nil, "handshake: ready, but the launch is complete"},
		"unknown":               {[]Type{Ready}, Message{Type: 77}, nil, "handshake: message 77, expected ready"},
		"a word of the runtime": {[]Type{Ready}, Message{Type: Go}, nil, "handshake: go, expected ready"},
		"a failure":             {[]Type{Maps, Ready}, Message{Type: Failed}, nil, ""},
		"a failure at the end":  {nil, Message{Type: Failed}, nil, ""},
		"a file too many":       {[]Type{Ready}, Message{Type: Ready, File: file}, nil, "handshake: ready with wrong descriptors"},
		"a file with a pid":     {[]Type{Forked}, Message{Type: Forked, File: file}, nil, "handshake: forked with wrong descriptors"},
		"console":               {[]Type{Console, Ready}, Message{Type: Console, File: file}, []Type{Ready}, ""},
		"console without file":  {[]Type{Console}, Message{Type: Console}, nil, "handshake: console with wrong descriptors"},
		"listener":              {[]Type{Listener, Ready}, Message{Type: Listener, File: file}, []Type{Ready}, ""},
		"listener without file": {[]Type{Listener}, Message{Type: Listener}, nil, "handshake: listener with wrong descriptors"},
		"mount":                 {[]Type{Mount, Ready}, Message{Type: Mount, File: file}, []Type{Ready}, ""},
		"mount without file":    {[]Type{Mount}, Message{Type: Mount}, nil, "handshake: mount with wrong descriptors"},
		"idmap":                 {[]Type{IDMap, Ready}, Message{Type: IDMap, File: file}, []Type{Ready}, ""},
		"idmap without file":    {[]Type{IDMap}, Message{Type: IDMap}, nil, "handshake: idmap with wrong descriptors"},
	} {
		rest, err := Accept(tt.script, tt.m)
		if !slices.Equal(rest, tt.rest) || errText(err) != tt.err {
			t.Errorf("%s: %v, %v, expected %v, %s", name, rest, err, tt.rest, tt.err)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The words of errors and of --debug.
func TestTypeNames(t *testing.T) {
	want := []string{
		"message 0", "go", "maps", "forked", "console", "mounted", "listener", "ready", "failed", "started", "kept", "mount", "idmap", "trace",
		"message 14",
	}
	for i, name := range want {
		if got := Type(i).String(); got != name {
			t.Errorf("%d: %s, expected %s", i, got, name)
		}
	}
}
