// SPDX-License-Identifier: Apache-2.0

package parts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	part := Part{"x", "x.bin", []string{"build.sh", "src/*.[ch]"}}
	whole := map[string]string{
		"build.sh": "b\n", "src/a.c": "a\n", "src/b.h": "h\n", "src/notes": "n\n", "x.bin": "built",
		"x.sum": hexSum([]byte("b\na\nh\n")) + "\n" + hexSum([]byte("built")) + "\n",
	}
	for _, test := range []struct{ name, file, text, want string }{
		{"built from these sources", "", "", ""},
		{"a file that is no source", "src/notes", "changed", ""},
		{"a source has changed", "src/b.h", "changed", "its sources have changed since it was built: run make"},
		{"a new source", "src/c.c", "new", "its sources have changed since it was built: run make"},
		{"another build", "x.bin", "other", "x.sum is of another build: run make"},
		{"not built", "x.bin", "-", "no such file or directory: run make"},
		{"no sum", "x.sum", "-", "no such file or directory: run make"},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "src"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range whole {
			write(t, filepath.Join(dir, name), text)
		}
		if test.text == "-" {
			os.Remove(filepath.Join(dir, test.file))
		} else if test.file != "" {
			write(t, filepath.Join(dir, test.file), test.text)
		}
		err := part.check(dir)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
