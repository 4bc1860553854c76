package criu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The beginning of images (criu/include/magic.h); their fields
// (images/pstree.proto, pagemap.proto), and the flag of pages that are in the
// file beside a page map (criu/include/pagemap.h).
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

// checkPages refuses images of memory that have been cut off, also those of
// dumps ahead: CRIU tries for ever to read what is not there. Only those of the
// processes of the checkpoint count: an earlier one that failed may have left
// others in the directory.
func checkPages(dir string) error {
	processes, err := readImage(filepath.Join(dir, "pstree.img"), pstreeMagic)
	if err != nil {
		return nil // CRIU will say so
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

// checkMap checks the pages of one process, which a dump may not have.
func checkMap(dir string, pid uint64) error {
	name := fmt.Sprintf("pagemap-%d.img", pid)
	entries, err := readImage(filepath.Join(dir, name), pagemapMagic)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it had ended, or not yet begun
	}
	if err != nil {
		return fmt.Errorf("%s: %w (the checkpoint is not whole)", name, err)
	}
	if len(entries) == 0 {
		return nil
	}
	pages, size := fmt.Sprintf("pages-%d.img", entries[0][headPagesID]), int64(0)
	if st, err := os.Stat(filepath.Join(dir, pages)); err == nil {
		size = st.Size()
	}
	if want := countPages(entries[1:]) * int64(os.Getpagesize()); size < want {
		return fmt.Errorf("%s has %d bytes, and %s counts %d (the checkpoint is not whole)", pages, size, name, want)
	}
	return nil
}

// countPages counts the pages that are in the file beside a page map.
func countPages(entries []map[uint64]uint64) (pages int64) {
	for _, e := range entries {
		flags, ok := e[entryFlags]
		if flags&pagePresent != 0 || !ok && e[entryInParent] == 0 {
			pages += int64(max(e[entryPages], e[entryPages32]))
		}
	}
	return pages
}

// readImage reads the messages of an image; none if it begins in another way
// than those that we know.
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
		return nil, nil // of another CRIU, which may know more
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

// readEntry reads the next message of an image, which has its length before
// it. All fields are numbers. They are read by hand: with the generated types,
// reflection would be linked, for which each start of skiff would pay.
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
			return nil, errors.New("it has a field that is no number")
		}
		fields[key>>3] = value
		b = b[n+m:]
	}
	return fields, nil
}
