// SPDX-License-Identifier: Apache-2.0

package store

import "github.com/skiff-oci/skiff/libcontainer/sys"

// Reader is what the entries share that one goroutine looks at in turn, so that not each
// has to get it anew. The zero Reader is ready for use.
type Reader struct {
	text   []byte // of the last record
	record Record
	asker  sys.Asker
}

// At is like the function At, for an entry that shares what r has. When another record is
// read, of the one before only the strings and annotations stay valid.
func (r *Reader) At(root, id string) *Entry {
	e := At(root, id)
	e.reader = r
	return e
}

// Close closes what r has open.
func (r *Reader) Close() { r.asker.Close() }

// readRecord reads the file of a record, into the memory of the last one.
func (e *Entry) readRecord() ([]byte, error) {
	text := &e.text
	if e.reader != nil {
		text = &e.reader.text
	}
	b, err := e.dir().ReadRegularInto(*text, recordFile, maxFile)
	if err == nil {
		*text = b
	}
	return b, err
}

// Sound reports whether there is a record that is certainly one of this container, and
// can be used: one with a checksum that is right. It is quicker than [Entry.Read], which
// has to decide if it is not certain.
func (e *Entry) Sound() bool {
	b, err := e.readRecord()
	return err == nil && sound(b, e.ID())
}
