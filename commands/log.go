package commands

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/skiff-oci/skiff/libcontainer/sys"
)

// journal writes log records as runc does, since engines read them: containerd takes the
// last record of level error in the JSON file of --log, and podman expects that file to
// be a single JSON object. So a call that fails writes one record of level error, which
// has the warnings, too. It writes the message to standard error as well.
type journal struct {
	file     io.Writer // of --log; nil: standard error
	json     bool
	least    level    // records below this level are dropped
	warnings []string // not written yet
}

// record is one line of the log, with runc's keys. No other key may differ from one of
// them only by case: containerd's decoder ignores case.
type record struct {
	Level    string   `json:"level"`
	Msg      string   `json:"msg"`
	Time     string   `json:"time"` // RFC 3339: containerd rejects the whole file otherwise
	Warnings []string `json:"warnings,omitempty"`
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
	return 0, fmt.Errorf("--log-level %q: must be error, warning, info or debug", name)
}

// open checks the flags of the log and opens its file, if there is one.
func (j *journal) open(path, format string, least level) error {
	switch format {
	case "text":
	case "json":
		j.json = true
	default:
		return fmt.Errorf("--log-format %q: must be text or json", format)
	}
	j.least = least
	if path == "" {
		return nil
	}
	f, err := sys.Append(path, 0o644)
	if err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	j.file = f
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
	fmt.Fprintln(os.Stderr, oneLine(fmt.Sprintf(format, args...)))
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
	j.write(record{Level: levelError.String(), Msg: err.Error(), Warnings: j.warnings})
	j.warnings = nil
	if j.file != nil {
		fmt.Fprintln(os.Stderr, oneLine(err.Error()))
	}
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
	if j.json {
		b, _ := json.Marshal(r) // strings always encode
		line = string(b)
	}
	var w io.Writer = os.Stderr
	if j.file != nil {
		w = j.file
	}
	io.WriteString(w, line+"\n")
}
