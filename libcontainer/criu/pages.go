package criu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The beginning of an image that counts pages (criu/include/magic.h); its
// fields (images/pagemap.proto), and the flag of pages that are in the file
// beside it (criu/include/pagemap.h).
const (
	commonMagic  = 0x54564319
	pagemapMagic = 0x56084025

	headPagesID   = 1
	entryPages32  = 2 // before CRIU 4.1
	entryInParent = 3 // before CRIU 3.0
	entryFlags    = 4
	entryPages    = 5
	pagePresent   = 1 << 2
)

// checkPages refuses images of memory that have been cut off: CRIU tries for
// ever to read what is not there.
func checkPages(dir string) error {
	maps, err := filepath.Glob(filepath.Join(dir, "pagemap-*.img"))
	if err != nil {
		return err
	}
	for _, path := range maps {
		id, pages, err := countPages(path)
		if err != nil {
			return fmt.Errorf("%s: %w (the checkpoint is not whole)", filepath.Base(path), err)
		}
		name, size := fmt.Sprintf("pages-%d.img", id), int64(0)
		if st, err := os.Stat(filepath.Join(dir, name)); err == nil {
			size = st.Size()
		}
		if want := pages * int64(os.Getpagesize()); size < want {
			return fmt.Errorf("%s has %d bytes, and %s counts %d (the checkpoint is not whole)", name, size, filepath.Base(path), want)
		}
	}
	return nil
}

// countPages reads how many pages are in which file.
func countPages(path string) (id uint64, pages int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	var magic [2]uint32
	if err := binary.Read(f, binary.LittleEndian, &magic); err != nil {
		return 0, 0, io.ErrUnexpectedEOF
	}
	if magic != [2]uint32{commonMagic, pagemapMagic} {
		return 0, 0, nil // of another CRIU, which may know more
	}
	head, err := readEntry(f)
	if err != nil {
		return 0, 0, err
	}
	for {
		e, err := readEntry(f)
		if err == io.EOF {
			return head[headPagesID], pages, nil
		}
		if err != nil {
			return 0, 0, err
		}
		flags, ok := e[entryFlags]
		if flags&pagePresent != 0 || !ok && e[entryInParent] == 0 {
			pages += int64(max(e[entryPages], e[entryPages32]))
		}
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
	b := make([]byte, min(length, 1<<10))
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
