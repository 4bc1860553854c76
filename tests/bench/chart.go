// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"html"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// The chart has a group of bars for each row with a value of crun, whose bar is 1 in each
// group. A value above the scale ends in an arrow, and has its number.
const (
	chartLeft   = 300 // of the names, in pixels
	chartWidth  = 420 // of the scale
	chartScale  = 2.0 // times crun's value
	barHeight   = 11
	groupHeight = 4*barHeight + 14
)

// bars are the contenders in the chart, with their colours.
var bars = []struct{ name, colour string }{
	{"skiff", "#1f6feb"}, {"crun", "#8c959f"}, {"runc", "#d0d7de"}, {"floor", "#2da44e"},
}

// chart returns a picture of the rows as SVG. caption says where and when they were
// measured.
func chart(rows []row, caption string) string {
	var groups []row
	for _, r := range rows {
		if r.Values["crun"] > 0 {
			groups = append(groups, r)
		}
	}
	var s strings.Builder
	height := 60 + len(groups)*groupHeight
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", chartLeft+chartWidth+80, height)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, b := range bars {
		fmt.Fprintf(&s, `<rect x="%d" y="10" width="12" height="12" fill="%s"/><text x="%d" y="20">%s</text>`+"\n", chartLeft+i*80, b.colour, chartLeft+i*80+16, b.name)
	}
	for i, r := range groups {
		writeGroup(&s, r, 36+i*groupHeight)
	}
	one := chartLeft + int(chartWidth/chartScale)
	fmt.Fprintf(&s, `<line x1="%d" y1="30" x2="%d" y2="%d" stroke="#57606a" stroke-dasharray="3 3"/>`+"\n", one, one, height-24)
	fmt.Fprintf(&s, `<text x="10" y="%d" fill="#57606a">%s</text>`+"\n</svg>\n", height-8, html.EscapeString(caption))
	return s.String()
}

// writeGroup writes the bars of one row.
func writeGroup(s *strings.Builder, r row, top int) {
	fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", chartLeft-8, top+24, html.EscapeString(r.Name+" ("+r.Unit+")"))
	for i, b := range bars {
		v, ok := r.Values[b.name]
		if !ok {
			continue
		}
		y, ratio := top+i*barHeight, v/r.Values["crun"]
		width, more := ratio, ""
		if ratio > chartScale {
			width, more = chartScale, " →"
		}
		pixels := width * chartWidth / chartScale
		fmt.Fprintf(s, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, chartLeft, y, pixels, barHeight-1, b.colour)
		fmt.Fprintf(s, `<text x="%.1f" y="%d" font-size="9">%s%s</text>`+"\n", chartLeft+pixels+4, y+barHeight-2, digits(v), more)
	}
}

// digits writes v with about three digits, and never with an exponent.
func digits(v float64) string {
	precision := 0
	for limit := 100.0; precision < 3 && v < limit; limit /= 10 {
		precision++
	}
	return strconv.FormatFloat(v, 'f', precision, 64)
}

// caption says what was measured, when, and on what.
func caption(r result) string {
	var names []string
	for _, b := range bars {
		if v := r.Versions[b.name]; v != "" {
			names = append(names, v)
		}
	}
	day, _, _ := strings.Cut(r.Time, "T")
	return fmt.Sprintf("medians; %s; %s; %s, load %s before and %s after", strings.Join(names, ", "), day, r.Machine, first(r.Before), first(r.After))
}

func first(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// machine returns the kernel's version and the number of CPUs.
func machine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	number, _, _ := strings.Cut(strings.TrimSpace(string(kernel)), "-")
	return fmt.Sprintf("Linux %s, %d CPUs", number, runtime.NumCPU())
}
