// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestTimeline(t *testing.T) {
	all, err := spans([]byte(`{"traceEvents": [
		{"name": "thread_name", "ph": "M", "args": {"name": "child"}},
		{"name": "skiff run", "ph": "X", "ts": 1000, "dur": 500},
		{"name": "write b", "ph": "X", "ts": 1110, "dur": 20},
		{"name": "limit", "ph": "X", "ts": 1100, "dur": 50},
		{"name": "a note", "ph": "i", "ts": 1120},
		{"name": "wait", "ph": "X", "ts": 1160, "dur": 100},
		{"name": "unshare(network|ipc|uts)", "cat": "child", "ph": "X", "ts": 1090, "dur": 40},
		{"name": "mknod(/dev/null)", "cat": "child", "ph": "X", "ts": 1140, "dur": 5},
		{"name": "symlink(/proc/self/fd)", "cat": "child", "ph": "X", "ts": 1150, "dur": 10},
		{"name": "capset()", "cat": "child", "ph": "X", "ts": 1200, "dur": 1}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = ` from µs    takes  runtime                                              child
       0      500  skiff run
      90       40                                                       make the namespaces
     100       50  limit
     110       20    write b
     140       20                                                       make the files of /dev
     160      100  wait
     200        1                                                       working directory, limits, capabilities, user
`
	if got := timeline(all); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if _, err := spans([]byte("{")); err == nil {
		t.Error("a broken file is accepted")
	}
}

func TestStepOf(t *testing.T) {
	for operation, want := range map[string]string{
		"unshare(mount|network)": namespaces, "setattr()": paths, "setattr(/sys/fs/cgroup)": mounts,
		"opentree(/dev/null)": devices, "opentree(/sys/fs/cgroup)": mounts, "umask()": others,
		"sync(ready)": "say ready, and wait for the answer", "await(ready)": "say ready, and wait for the answer",
		"setns(network|ipc|uts)": namespaces, "network(lo)": namespaces, "await(go)": "wait for the cgroups",
	} {
		if got := stepOf(operation); got != want {
			t.Errorf("stepOf(%s) = %q, want %q", operation, got, want)
		}
	}
}
