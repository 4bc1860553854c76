// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skiff-oci/skiff/libcontainer/fault"
	"github.com/skiff-oci/skiff/libcontainer/sys"
	"golang.org/x/sys/unix"
)

// journal writes log records as runc does, since engines read them: containerd takes the
// last record of level error in the JSON file of --log, and podman expects that file to
// be a single JSON object. So a call that fails writes one record of level error, which
// has the warnings, too. It writes the message to standard error as well.
//
// On a terminal, people read it: there it writes no time stamps, and the hint of an error
// on a line of its own.
type journal struct {
	file     io.Writer // of --log; nil: standard error
	json     bool
	least    level    // records below this level are dropped
	warnings []string // not written yet
}

// record is one line of the log, with runc's keys, and for an error with its details
// (docs/ERRORS.md). No other key may differ from one of runc's only by case: containerd's
// decoder ignores case.
type record struct {
	Level    string   `json:"level"`
	Msg      string   `json:"msg"`
	Time     string   `json:"time"` // RFC 3339: containerd rejects the whole file otherwise
	Code     string   `json:"code,omitempty"`
	Phase    string   `json:"phase,omitempty"`
	Field    string   `json:"field,omitempty"`
	Fields   []string `json:"fields,omitempty"`
	Errno    string   `json:"errno,omitempty"`
	Path     string   `json:"path,omitempty"`
	Hint     string   `json:"hint,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	brief string // of an error: its message without the hint
}

func (r record) text() string {
	line := fmt.Sprintf("time=%q level=%s msg=%q", r.Time, r.Level, r.Msg)
	for _, w := range r.Warnings {
		line += fmt.Sprintf(" warning=%q", w)
	}
	return line
}

// level orders the records; its zero value is the default of --log-level.
type level int

const (
	levelDebug level = iota - 1
	levelInfo
	levelWarning
	levelError
)

func (l level) String() string {
	return [...]string{"debug", "info", "warning", "error"}[l-levelDebug]
}

func parseLevel(name string) (level, error) {
	switch strings.ToLower(name) {
	case "error":
		return levelError, nil
	case "warning", "warn":
		return levelWarning, nil
	case "info":
		return levelInfo, nil
	case "debug":
		return levelDebug, nil
	}
	return 0, misuse("--log-level %q: must be error, warning, info or debug", name)
}

// open checks the flags of the log and opens its file, if there is one.
func (j *journal) open(path, format string, least level) error {
	j.least, j.json = least, format == "json"
	if path != "" {
		f, err := sys.Append(path, 0o644)
		if err != nil {
			return fmt.Errorf("--log: %w", err)
		}
		j.file = f
	}
	if format != "text" && format != "json" {
		return misuse("--log-format %q: must be text or json", format)
	}
	return nil
}

// warn keeps a warning until flush or fail.
func (j *journal) warn(format string, args ...any) {
	if j.least <= levelWarning {
		j.warnings = append(j.warnings, fmt.Sprintf(format, args...))
	}
}

// note reports at once, on standard error, what keeps the call waiting. It does not go
// to the file of --log, where podman expects a single record: the result of the call.
func (j *journal) note(format string, args ...any) {
	if j.least > levelWarning {
		return
	}
	if j.file == nil {
		j.write(record{Level: levelWarning.String(), Msg: fmt.Sprintf(format, args...)})
		return
	}
	j.print(record{Level: levelWarning.String(), Msg: oneLine(fmt.Sprintf(format, args...))})
}

// debugs reports whether records of level debug are written.
func (j *journal) debugs() bool { return j.least <= levelDebug }

func (j *journal) debug(format string, args ...any) {
	if j.least <= levelDebug {
		j.write(record{Level: levelDebug.String(), Msg: fmt.Sprintf(format, args...)})
	}
}

// flush writes each warning as a record.
func (j *journal) flush() {
	for _, w := range j.warnings {
		j.write(record{Level: levelWarning.String(), Msg: w})
	}
	j.warnings = nil
}

// fail writes the record of a call that failed.
func (j *journal) fail(err error) {
	d := fault.Of(err)
	r := record{
		Level: levelError.String(), Msg: err.Error(), Warnings: j.warnings, brief: oneLine(fault.Brief(err)),
		Code: string(d.Code), Phase: string(d.Phase), Field: d.Field, Fields: d.Fields, Errno: d.Errno, Path: d.Path, Hint: oneLine(d.Hint),
	}
	j.warnings = nil
	j.write(r)
	if j.file != nil {
		r.Msg = oneLine(r.Msg)
		j.print(r)
	}
}

// print writes the message of a record to standard error, of which --log gets the whole.
func (j *journal) print(r record) {
	if onTerminal() {
		r.Warnings = nil // in the log
		fmt.Fprintln(os.Stderr, r.forPeople())
		return
	}
	fmt.Fprintln(os.Stderr, r.Msg)
}

// forPeople returns the record as a terminal shows it.
func (r record) forPeople() string {
	var lines []string
	for _, w := range r.Warnings {
		lines = append(lines, "skiff: warning: "+w)
	}
	switch {
	case r.Hint != "":
		lines = append(lines, "skiff: "+r.brief, "hint: "+r.Hint)
	case r.Level == levelError.String():
		lines = append(lines, "skiff: "+r.Msg)
	default:
		lines = append(lines, "skiff: "+r.Level+": "+r.Msg)
	}
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// visible escapes the control characters of a line: a message may have a hook's output,
// or a name in a configuration, which must not control the reader's terminal.
func visible(line string) string {
	if strings.IndexFunc(line, unicode.IsControl) < 0 && utf8.ValidString(line) {
		return line
	}
	var out strings.Builder
	for _, c := range line {
		switch {
		case c == '\t' || !unicode.IsControl(c):
			out.WriteRune(c)
		default:
			fmt.Fprintf(&out, "\\x%02x", c)
		}
	}
	return out.String()
}

// onTerminal reports whether standard error is a terminal.
func onTerminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	return err == nil
}

// oneLine puts a message on one line: joined errors, and the output of another program,
// may have several.
func oneLine(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, "; ")
}

// write writes a record. It ignores errors, as there is nowhere to report them.
func (j *journal) write(r record) {
	r.Time = time.Now().Format(time.RFC3339)
	r.Msg = oneLine(r.Msg)
	for i := range r.Warnings {
		r.Warnings[i] = oneLine(r.Warnings[i])
	}
	line := r.text()
	switch {
	case j.json:
		b, _ := json.Marshal(r) // strings always encode
		line = string(b)
	case j.file == nil && onTerminal():
		line = r.forPeople()
	}
	var w io.Writer = os.Stderr
	if j.file != nil {
		w = j.file
	}
	io.WriteString(w, line+"\n")
}
