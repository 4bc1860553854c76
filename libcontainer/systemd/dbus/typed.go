// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"fmt"
	"strconv"
	"strings"
)

// variant decides the type of a node, and gives it its value.
func (n *node) variant() (Variant, error) {
	signature, err := n.shape.decide()
	if err != nil {
		return Variant{}, err
	}
	if err := complete(signature); err != nil {
		return Variant{}, err
	}
	v, err := n.as(signature)
	return Variant{signature, v}, err
}

// as returns the node's value with this type, which fits its shape.
func (n *node) as(signature string) (any, error) {
	switch {
	case n.value != nil:
		return n.value, nil
	case strings.HasPrefix(signature, "a{"):
		return n.dict(signature)
	case signature[0] == 'a':
		return n.array(signature)
	case strings.Contains(textual, signature):
		return n.text, nil
	}
	return number(n.text, signature)
}

func (n *node) array(signature string) (any, error) {
	all := make(list, 0, len(n.all))
	for i := range n.all {
		v, err := n.all[i].as(signature[1:])
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// dict returns a dictionary. Of a key that is given twice, the last value counts.
func (n *node) dict(signature string) (any, error) {
	all := make(dict, 0, len(n.all)/2)
	index := make(map[any]int)
	for i := 0; i < len(n.all); i += 2 {
		key, err := n.all[i].as(signature[2:3])
		if err != nil {
			return nil, err
		}
		value, err := n.all[i+1].as(signature[3 : len(signature)-1])
		if err != nil {
			return nil, err
		}
		at, twice := index[key]
		if !twice {
			at = len(all)
			index[key] = at
			all = append(all, entry{})
		}
		all[at] = entry{key, value}
	}
	return all, nil
}

// number returns a number of a numeric type.
func number(s, signature string) (any, error) {
	if signature == "d" {
		return strconv.ParseFloat(s, 64)
	}
	base := 10
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		s, base = hex, 16
	} else if len(s) > 1 && s[0] == '0' {
		s, base = s[1:], 8
	}
	switch signature {
	case "y":
		n, err := strconv.ParseUint(s, base, 8)
		return byte(n), err
	case "q":
		n, err := strconv.ParseUint(s, base, 16)
		return uint16(n), err
	case "u":
		n, err := strconv.ParseUint(s, base, 32)
		return uint32(n), err
	case "t":
		return strconv.ParseUint(s, base, 64)
	case "n":
		n, err := strconv.ParseInt(s, base, 16)
		return int16(n), err
	case "i":
		n, err := strconv.ParseInt(s, base, 32)
		return int32(n), err
	case "x":
		return strconv.ParseInt(s, base, 64)
	}
	return nil, fmt.Errorf("%.40s is not of the type %s", s, signature)
}
