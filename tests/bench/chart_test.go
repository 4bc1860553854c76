// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestChart(t *testing.T) {
	svg := chart([]row{
		{Name: "run", Unit: "ms", Values: map[string]float64{"skiff": 4, "crun": 8, "runc": 40, "floor": 2}},
		{Name: "start & stop", Unit: "ms", Values: map[string]float64{"skiff": 6, "crun": 8}},
		{Name: "alone", Unit: "ms", Values: map[string]float64{"skiff": 6}},
	}, "a <machine>")
	texts, rects := 0, 0
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			switch e.Name.Local {
			case "text":
				texts++
			case "rect":
				rects++
			}
		}
	}
	// A background, the legend, and the bars; the legend, two names, the values, the caption.
	if rects != 1+4+6 || texts != 4+2+6+1 {
		t.Errorf("%d bars, %d texts", rects, texts)
	}
	for _, want := range []string{
		`width="105.0" height="10" fill="#1f6feb"/>`, `width="210.0" height="10" fill="#8c959f"/>`,
		`width="420.0" height="10" fill="#d0d7de"/>`, ">40.0 →<", ">start &amp; stop (ms)<", ">a &lt;machine&gt;<",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "alone") {
		t.Error("a row without crun is in the chart")
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{0.123456: "0.123", 1.587: "1.59", 11.527: "11.5", 207.706: "208", 12113: "12113"} {
		if got := digits(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
