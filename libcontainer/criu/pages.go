// SPDX-License-Identifier: Apache-2.0

package criu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/skiff-oci/skiff/libcontainer/fault"
)

// The first words of image files (criu/include/magic.h), the numbers of their fields
// (images/pstree.proto, pagemap.proto), and the flag of pages whose content is in the
// pages file (criu/include/pagemap.h).
const (
	commonMagic  = 0x54564319
	pstreeMagic  = 0x50273030
	pagemapMagic = 0x56084025

	processPID    = 1
	headPagesID   = 1
	entryPages32  = 2 // before CRIU 4.1
	entryInParent = 3 // before CRIU 3.0
	entryFlags    = 4
	entryPages    = 5
	pagePresent   = 1 << 2
)

// checkPages refuses truncated images of memory, including those of pre-dumps, because
// CRIU tries forever to read the missing part. It checks only the processes of the
// checkpoint: an earlier one that failed may have left images of others in the
// directory.
func checkPages(dir string) error {
	processes, err := readImage(filepath.Join(dir, "pstree.img"), pstreeMagic)
	if err != nil {
		return nil // CRIU will report it
	}
	chain, err := withParents(dir)
	if err != nil {
		return err
	}
	for _, dir := range chain {
		for _, p := range processes {
			if err := checkMap(dir, p[processPID]); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
		}
	}
	return nil
}

// checkMap checks the pages of one process. The images of an earlier dump need not have
// the process.
func checkMap(dir string, pid uint64) error {
	name := fmt.Sprintf("pagemap-%d.img", pid)
	entries, err := readImage(filepath.Join(dir, name), pagemapMagic)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it had ended by then, or did not exist yet
	}
	if err != nil {
		return fault.Hint(fmt.Errorf("%s: %w", name, err), incomplete)
	}
	if len(entries) == 0 {
		return nil
	}
	pages, size := fmt.Sprintf("pages-%d.img", entries[0][headPagesID]), int64(0)
	if st, err := os.Stat(filepath.Join(dir, pages)); err == nil {
		size = st.Size()
	}
	if want := countPages(entries[1:]) * int64(os.Getpagesize()); size < want {
		return fault.Hint(fmt.Errorf("%s has %d bytes, expected %d from %s", pages, size, want, name), incomplete)
	}
	return nil
}

const incomplete = "the checkpoint is incomplete"

// countPages counts the pages that the pages file of a page map must have.
func countPages(entries []map[uint64]uint64) (pages int64) {
	for _, e := range entries {
		flags, ok := e[entryFlags]
		if flags&pagePresent != 0 || !ok && e[entryInParent] == 0 {
			pages += int64(max(e[entryPages], e[entryPages32]))
		}
	}
	return pages
}

// readImage reads the messages of an image. It returns none if the image begins with
// other magic numbers than expected.
func readImage(path string, magic uint32) (entries []map[uint64]uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var begin [2]uint32
	if err := binary.Read(f, binary.LittleEndian, &begin); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if begin != [2]uint32{commonMagic, magic} {
		return nil, nil // of an older or newer CRIU, which checks it itself
	}
	for {
		e, err := readEntry(f)
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
}

// readEntry reads the next message of an image, which is preceded by its length. All
// fields are numbers. It decodes them by hand: with the generated types, reflection
// would be linked in, which would slow down every start of skiff.
func readEntry(r io.Reader) (map[uint64]uint64, error) {
	var length uint32
	if err := binary.Read(r, binary.LittleEndian, &length); err != nil {
		return nil, err
	}
	b := make([]byte, min(length, 1<<20))
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	fields := make(map[uint64]uint64)
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		value, m := binary.Uvarint(b[max(n, 0):])
		if n <= 0 || m <= 0 || key&7 != 0 {
			return nil, errors.New("it has a field that is not a number")
		}
		fields[key>>3] = value
		b = b[n+m:]
	}
	return fields, nil
}
