// SPDX-License-Identifier: Apache-2.0

package criu

import "testing"

func TestLastError(t *testing.T) {
	for log, want := range map[string]string{
		"":                     "",
		"(00.1) all is well\n": "",
		"(00.1)      1: Error (criu/files.c:1): a\n(00.2) no\n": "Error (criu/files.c:1): a",
		"(00.1) Error (a.c:1): a\n(00.1) Error (b.c:1): b\n(00.1) Error (c.c:1): c\n(00.1) Error (d.c:1): d\n(00.1) Error (d.c:1): Restoring FAILED.\n(00.1) Error (e.c:1): e\n": "Error (a.c:1): a; Error (c.c:1): c; Error (d.c:1): d",
		"(00.1) Error (a.c:1): a\n(00.1) Error (b.c:1): 7 exited, status=1\n":                                                                                                    "Error (a.c:1): a",
		"(00.1) Error (b.c:1): 7 exited, status=1\n":                                                                                                                             "Error (b.c:1): 7 exited, status=1",
		"(00.1) Error (a.c:1): inet: Connected TCP socket in image\n":                                                                                                            "Error (a.c:1): inet: Connected TCP socket in image (use --tcp-established or --tcp-close)",
		"(00.1) Can't connect to server 127.0.0.1:9\n(00.2) Error (d.c:1): Dumping FAILED.\n":                                                                                    "Can't connect to server 127.0.0.1:9",
		"(00.1) Error (d.c:1): Dumping FAILED.\n":                                                                                                                                "Error (d.c:1): Dumping FAILED.",
	} {
		got, hint := lastError(log)
		if hint != "" {
			got += " (" + hint + ")"
		}
		if got != want {
			t.Errorf("%q: %q, expected %q", log, got, want)
		}
	}
}
