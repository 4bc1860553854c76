// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"os"
	"slices"
	"testing"
)

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
		"the one after it":      {[]Type{Maps, Ready}, Message{Type: Ready}, nil, "handshake: unexpected ready, expected maps"},
		"again":                 {[]Type{Ready}, Message{Type: Maps}, nil, "handshake: unexpected maps, expected ready"},
		"one too many":          {nil, Message{Type: Ready}, nil, "handshake: unexpected ready: the launch is complete"},
		"unknown":               {[]Type{Ready}, Message{Type: 77}, nil, "handshake: unexpected message 77, expected ready"},
		"a word of the runtime": {[]Type{Ready}, Message{Type: Go}, nil, "handshake: unexpected go, expected ready"},
		"a failure":             {[]Type{Maps, Ready}, Message{Type: Failed}, nil, ""},
		"a failure at the end":  {nil, Message{Type: Failed}, nil, ""},
		"a file too many":       {[]Type{Ready}, Message{Type: Ready, File: file}, nil, "handshake: wrong number of descriptors with ready"},
		"a file with a pid":     {[]Type{Forked}, Message{Type: Forked, File: file}, nil, "handshake: wrong number of descriptors with forked"},
		"console":               {[]Type{Console, Ready}, Message{Type: Console, File: file}, []Type{Ready}, ""},
		"console without file":  {[]Type{Console}, Message{Type: Console}, nil, "handshake: wrong number of descriptors with console"},
		"listener":              {[]Type{Listener, Ready}, Message{Type: Listener, File: file}, []Type{Ready}, ""},
		"listener without file": {[]Type{Listener}, Message{Type: Listener}, nil, "handshake: wrong number of descriptors with listener"},
		"mount":                 {[]Type{Mount, Ready}, Message{Type: Mount, File: file}, []Type{Ready}, ""},
		"mount without file":    {[]Type{Mount}, Message{Type: Mount}, nil, "handshake: wrong number of descriptors with mount"},
		"idmap":                 {[]Type{IDMap, Ready}, Message{Type: IDMap, File: file}, []Type{Ready}, ""},
		"idmap without file":    {[]Type{IDMap}, Message{Type: IDMap}, nil, "handshake: wrong number of descriptors with idmap"},
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
		"message 0", "go", "maps", "forked", "console", "mounted", "listener", "ready", "failed", "started", "kept", "mount", "idmap", "trace", "network",
		"message 15",
	}
	for i, name := range want {
		if got := Type(i).String(); got != name {
			t.Errorf("%d: %s, expected %s", i, got, name)
		}
	}
}
