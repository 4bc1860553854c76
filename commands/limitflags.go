// SPDX-License-Identifier: Apache-2.0

package commands

import (
	"math"
	"strconv"
	"strings"
)

func (p *limitFlags) unsigned(name string) *uint64 {
	s := p.ctx.String(name)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		p.fault(name, "must be a non-negative integer")
		return nil
	}
	return &n
}

func (p *limitFlags) signed(name string, least int64) *int64 {
	s := p.ctx.String(name)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least {
		p.fault(name, "must be an integer of at least %d", least)
		return nil
	}
	return &n
}

func (p *limitFlags) bytes(name string) *int64 {
	s := p.ctx.String(name)
	if s == "" {
		return nil
	}
	n, ok := parseSize(s)
	if !ok {
		p.fault(name, "must be a number of bytes, optionally with a unit (k, m, g, t or p), or -1")
		return nil
	}
	return &n
}

func (p *limitFlags) schema(name, prefix string) string {
	s := p.ctx.String(name)
	if s != "" && !strings.HasPrefix(s, prefix) {
		p.fault(name, "must begin with %s", prefix)
	}
	if strings.Contains(s, "\n") && name == "mem-bw-schema" {
		p.fault(name, "must be a single line")
	}
	return s
}

// parseSize parses a size in the form of engines' command lines, and returns it in
// bytes: a number, perhaps with a fraction, and perhaps a unit, which is a power of 1024
// (k, kb, KiB, and so on). -1 stands for no limit.
func parseSize(s string) (int64, bool) {
	if s == "-1" {
		return -1, true
	}
	digits := strings.TrimRight(strings.ToLower(s), "bikmgtp ")
	unit := strings.TrimLeft(strings.ToLower(s[len(digits):]), " ")
	shift := 0
	if unit != "" && unit != "b" {
		shift = 10 * (1 + strings.IndexByte("kmgtp", unit[0]))
		if rest := unit[1:]; shift == 0 || rest != "" && rest != "b" && rest != "ib" {
			return 0, false
		}
	}
	if strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return n << shift, n <= math.MaxInt64>>shift
	}
	f, err := strconv.ParseFloat(digits, 64)
	f *= float64(int64(1) << shift)
	return int64(f), err == nil && f < 1<<63
}
