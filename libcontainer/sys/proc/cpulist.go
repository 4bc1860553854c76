// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// MaxCPU is the largest number that a list may have. No kernel can be built for that
// many CPUs or memory nodes (CONFIG_NR_CPUS is at most 8192).
const MaxCPU = 1<<16 - 1

// TooHigh is the error for a number above [MaxCPU].
type TooHigh uint64

func (n TooHigh) Error() string { return fmt.Sprintf("%d must not exceed %d", uint64(n), MaxCPU) }

// CPUList converts a list of CPUs or memory nodes, "0-3,7" (cpuset(7), "List format"),
// to a bit mask: the lowest byte first, in whole words of 8 bytes. The mask of an empty
// list is empty.
//
// The kernel writes lists only in this form. It accepts more: empty parts, strides and
// words.
func CPUList(list string) (mask []byte, err error) {
	if list == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(list, ",") {
		from, to, ok := span(part)
		if !ok {
			return nil, fmt.Errorf("%q must be a list of numbers and ranges, such as 0-3,7", list)
		}
		if to > MaxCPU {
			return nil, TooHigh(to)
		}
		if n := int(to)/64*8 + 8; n > len(mask) {
			mask = append(mask, make([]byte, n-len(mask))...)
		}
		for i := from; i <= to; i++ {
			mask[i/8] |= 1 << (i % 8)
		}
	}
	return mask, nil
}

// span parses "3" or "0-3".
func span(part string) (from, to uint64, ok bool) {
	low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
	if !ranged {
		high = low
	}
	from, err := strconv.ParseUint(low, 10, 32)
	to, err2 := strconv.ParseUint(high, 10, 32)
	return from, to, err == nil && err2 == nil && from <= to
}

// Members yields the numbers in a mask, in ascending order.
func Members(mask []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range 8 * len(mask) {
			if mask[i/8]>>(i%8)&1 != 0 && !yield(i) {
				return
			}
		}
	}
}
