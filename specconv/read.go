// SPDX-License-Identifier: Apache-2.0

package specconv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/trace"
	"golang.org/x/sys/unix"
)

// maxConfig is the maximum size of config.json, and of a process file, in bytes.
const maxConfig = 16 << 20

// Read reads config.json of a bundle, or file in its place if that is not empty. raw is the
// file's content, at most 16 MiB.
//
// Keys match as in encoding/json, and unknown ones are ignored (config.md,
// "Extensibility"). The error is one line. If the content is wrong, it has the JSON path,
// or the line and column.
func Read(bundle, file string) (spec *specs.Spec, raw []byte, err error) {
	path := file
	if file == "" {
		path = filepath.Join(bundle, "config.json")
	}
	if m := trace.Begin(); m.On() {
		defer func() { m.Done(err, "read", path) }()
	}
	raw, err = readRegular(path)
	if errors.Is(err, fs.ErrNotExist) && file == "" {
		err = fmt.Errorf("JSON specification file config.json not found in the bundle %s: %w", bundle, unix.ENOENT)
		return nil, nil, fault.In(fault.Config, fault.About("", path, err))
	}
	if err != nil {
		return nil, nil, fault.In(fault.Config, err)
	}
	spec, err = decodeSpec(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, invalid(err))
	}
	return spec, raw, nil
}

// Decode decodes a configuration that Read returned as raw, with errors as there, but
// without the file's name.
func Decode(raw []byte) (*specs.Spec, error) { return decodeSpec(raw) }

func decodeSpec(raw []byte) (*specs.Spec, error) {
	s := new(specs.Spec)
	if decodeFast(raw, s) {
		return s, checkNUL(raw)
	}
	s = new(specs.Spec)
	return s, decode(raw, s)
}

// ReadProcess reads the process of an exec from a file, or from a pipe, such as a shell's
// <(...), at most 16 MiB. "-" is standard input.
func ReadProcess(file string) (*specs.Process, error) {
	raw, err := readAny(file)
	if err != nil {
		return nil, fault.In(fault.Config, err)
	}
	p := new(specs.Process)
	if decodeFast(raw, p) {
		err = checkNUL(raw)
	} else {
		p = new(specs.Process)
		err = decode(raw, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, invalid(err))
	}
	return p, nil
}

// invalid marks err as an error in the content of a configuration.
func invalid(err error) error { return fault.With(fault.InvalidConfig, fault.In(fault.Config, err)) }

// readRegular reads a regular file. Anything else is an error: a FIFO could make it wait
// for ever. Unlike os.Open, it does not start the Go runtime's poller.
func readRegular(path string) ([]byte, error) {
	fd, err := open(path, unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, fault.With(fault.InvalidConfig, fmt.Errorf("%s: must be a regular file", path))
	case st.Size > maxConfig:
		return nil, tooLarge(path)
	}
	return readAll(fd, path, int(st.Size))
}

// readAny reads a file or a stream to its end, and waits as long as that takes: a caller
// who names a pipe expects that. A directory is an error, and so is what is larger than
// maxConfig or has no end.
func readAny(path string) ([]byte, error) {
	if path == "-" {
		raw, err := io.ReadAll(io.LimitReader(os.Stdin, maxConfig+1))
		if err == nil && len(raw) > maxConfig {
			err = tooLarge(path)
		}
		return raw, err
	}
	fd, err := open(path, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return readAll(fd, path, 4096)
}

func open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY|flags, 0)
		switch err {
		case nil:
			return fd, nil
		case unix.EINTR:
		default:
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// readAll reads to the end, which is expected after size bytes. Unlike sys.ReadAll, it
// fails after maxConfig bytes.
func readAll(fd int, path string, size int) ([]byte, error) {
	b := make([]byte, 0, size+1)
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return b, nil
		}
		if b = b[:len(b)+n]; len(b) > maxConfig {
			return nil, tooLarge(path)
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

func tooLarge(path string) error {
	return fault.With(fault.InvalidConfig, fmt.Errorf("%s: must not be larger than %d MiB", path, maxConfig>>20))
}

// decode decodes one JSON document into v.
func decode(raw []byte, v any) error {
	if err := explain(raw, json.Unmarshal(raw, v)); err != nil {
		return err
	}
	return checkNUL(raw)
}

// explain adds the place of an error of encoding/json, and says what was expected there.
func explain(raw []byte, err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		line, column := position(raw, syntax.Offset)
		return fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(syntax.Error(), "json: "))
	case errors.As(err, &wrong):
		article := "a"
		if strings.HasPrefix(wrong.Value, "a") || strings.HasPrefix(wrong.Value, "o") {
			article = "an" // array, object
		}
		return fmt.Errorf("%s: got %s %s, expected %s", pathAt(raw, wrong.Offset), article, wrong.Value, kindName(wrong))
	}
	return err
}

// kindName describes the type that was expected, in terms of JSON where possible.
func kindName(e *json.UnmarshalTypeError) string {
	switch k := e.Type.Kind().String(); k {
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "struct", "map", "ptr":
		return "an object"
	case "slice":
		return "an array"
	case "int", "int64", "int32":
		return "an integer (" + k + ")"
	case "uint", "uint8", "uint16", "uint32", "uint64":
		return "a non-negative integer (" + k + ")"
	default:
		return k
	}
}

func position(raw []byte, offset int64) (line, column int) {
	before := raw[:min(int(offset), len(raw))]
	line = 1 + bytes.Count(before, []byte("\n"))
	return line, max(1, len(before)-1-bytes.LastIndexByte(before, '\n'))
}

// checkNUL refuses strings with a NUL byte: the kernel would end them there, and use
// something else than what was checked.
func checkNUL(raw []byte) error {
	if !bytes.Contains(raw, []byte(`\u0000`)) {
		return nil
	}
	var found error
	walk(raw, func(path string, token json.Token, _ int64) bool {
		if s, ok := token.(string); ok && strings.ContainsRune(s, 0) {
			found = fmt.Errorf("%s: %q must not contain a NUL byte", path, s)
		}
		return found == nil
	})
	return found
}

// pathAt returns the JSON path of the value that ends at offset or contains it.
func pathAt(raw []byte, offset int64) string {
	at := ""
	walk(raw, func(path string, _ json.Token, end int64) bool {
		at = path
		return end < offset
	})
	if at == "" {
		return "the document"
	}
	return at
}

// level is an array or object that walk is in.
type level struct {
	array bool   // else an object
	index int    // of the current element or member
	key   string // of the current member
	value bool   // in an object: the key has been read, and its value comes next
}

// walk calls f for every key and value of a document, with its path and the offset at
// which it ends, until f returns false.
func walk(raw []byte, f func(path string, token json.Token, end int64) bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var stack []level
	for {
		token, err := d.Token()
		if err != nil {
			return
		}
		top := len(stack) - 1
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			if stack = stack[:top]; len(stack) == 0 {
				return
			}
			stack[top-1].next()
			continue
		}
		if top >= 0 && !stack[top].array && !stack[top].value {
			stack[top].key, stack[top].value = token.(string), true
			if !f(path(stack), token, d.InputOffset()) {
				return
			}
			continue
		}
		if !f(path(stack), token, d.InputOffset()) {
			return
		}
		if delim, ok := token.(json.Delim); ok {
			stack = append(stack, level{array: delim == '['})
		} else if top >= 0 {
			stack[top].next()
		}
	}
}

func (l *level) next() {
	l.index++
	l.value = false
}

func path(stack []level) string {
	var b strings.Builder
	for _, l := range stack {
		switch {
		case l.array:
			fmt.Fprintf(&b, "[%d]", l.index)
		case !l.value:
		case plain(l.key):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(l.key)
		default:
			fmt.Fprintf(&b, "[%q]", l.key)
		}
	}
	return b.String()
}

// plain reports whether a key needs no quotes in a path.
func plain(key string) bool {
	for _, r := range key {
		if strings.ContainsRune(`.[]"\`, r) || !strconv.IsPrint(r) {
			return false
		}
	}
	return key != "" && utf8.ValidString(key)
}

// DecodeResources decodes a document that is linux.resources alone, as `update` reads it.
func DecodeResources(raw []byte) (*specs.LinuxResources, error) {
	r := new(specs.LinuxResources)
	return r, invalid(decode(raw, r))
}
