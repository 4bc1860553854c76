// SPDX-License-Identifier: Apache-2.0

package dbus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse reads a value in GVariant's text format, such as true, 'text', uint64 7, 1.5,
// ['a', 'b'], {'key': <true>} or @as []. It does not know tuples and maybe-types. What
// follows the value is ignored, as other runtimes do.
func Parse(text string) (Variant, error) {
	p := parser{rest: text}
	n, err := p.node(0)
	if err != nil {
		return Variant{}, err
	}
	return n.variant()
}

// node is a value of which the type is not decided.
type node struct {
	shape *shape
	text  string // as it is written: of a number, or without quotes and escapes
	value any    // of a truth value, a byte string or a variant
	all   []node // the elements of an array, or keys and values by turns
}

type parser struct {
	rest   string
	typing bool // a type has just been read
}

var errEnd = errors.New("a value is missing at the end")

// node parses a value that is depth levels deep.
func (p *parser) node(depth int) (node, error) {
	if depth > deepest {
		return node{}, fmt.Errorf("a value is nested more than %d levels deep", deepest)
	}
	typing := p.typing
	p.typing = false
	p.space()
	if p.rest == "" {
		return node{}, errEnd
	}
	switch c := p.rest[0]; {
	case c == '[':
		return p.array(depth)
	case c == '{':
		return p.dictionary(depth)
	case c == '<':
		return p.variant(depth)
	case c == '\'' || c == '"':
		s, err := p.quoted(unescape)
		return node{shape: &shape{kind: 'b', basic: textual}, text: s}, err
	case c == 'b' && len(p.rest) > 1 && (p.rest[1] == '\'' || p.rest[1] == '"'):
		p.rest = p.rest[1:]
		s, err := p.quoted(unescapeBytes)
		return node{shape: shapeOf("ay"), value: []byte(s + "\x00")}, err
	case c == '+' || c == '-' || '0' <= c && c <= '9':
		return p.number()
	case p.take("true"):
		return node{shape: shapeOf("b"), value: true}, nil
	case p.take("false"):
		return node{shape: shapeOf("b"), value: false}, nil
	case typing:
		return node{}, fmt.Errorf("a value must follow its type, not %.20q", p.rest)
	}
	return p.typed(depth)
}

func (p *parser) space() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

func (p *parser) take(word string) (ok bool) {
	p.rest, ok = strings.CutPrefix(p.rest, word)
	return ok
}

// expect takes one of these characters, after space.
func (p *parser) expect(chars string) (byte, error) {
	p.space()
	if p.rest == "" {
		return 0, errEnd
	}
	c := p.rest[0]
	if strings.IndexByte(chars, c) < 0 {
		return 0, fmt.Errorf("unexpected %.20q", p.rest)
	}
	p.rest = p.rest[1:]
	return c, nil
}

// typed parses a value that follows its type.
func (p *parser) typed(depth int) (node, error) {
	word := p.rest
	if i := strings.IndexFunc(word, unicode.IsSpace); i >= 0 {
		word = word[:i]
	}
	signature, given := strings.CutPrefix(word, "@")
	if !given {
		signature = typeNamed(word)
	}
	if signature == "" {
		return node{}, fmt.Errorf("%.40q is no type", word)
	}
	if err := complete(signature); err != nil {
		return node{}, err
	}
	p.rest = p.rest[len(word):]
	p.typing = true
	n, err := p.node(depth)
	if err != nil {
		return node{}, err
	}
	ok := true
	if n.shape, ok = merge(n.shape, shapeOf(signature)); !ok {
		return node{}, fmt.Errorf("the value after %s is not of this type", word)
	}
	return n, nil
}

// typeNamed returns the type that GVariant's text format has this word for.
func typeNamed(word string) string {
	switch word {
	case "boolean":
		return "b"
	case "byte":
		return "y"
	case "int16":
		return "n"
	case "uint16":
		return "q"
	case "int32":
		return "i"
	case "uint32":
		return "u"
	case "int64":
		return "x"
	case "uint64":
		return "t"
	case "double":
		return "d"
	case "string":
		return "s"
	case "objectpath":
		return "o"
	case "signature":
		return "g"
	}
	return ""
}

func (p *parser) array(depth int) (node, error) {
	n := node{shape: &shape{kind: 'a'}}
	p.rest = p.rest[1:]
	if p.space(); p.take("]") {
		return n, nil
	}
	for {
		if err := p.element(&n, &n.shape.value, depth); err != nil {
			return node{}, err
		}
		if c, err := p.expect(",]"); err != nil || c == ']' {
			return n, err
		}
	}
}

func (p *parser) dictionary(depth int) (node, error) {
	n := node{shape: &shape{kind: '{'}}
	p.rest = p.rest[1:]
	if p.space(); p.take("}") {
		return n, nil
	}
	for {
		if err := p.element(&n, &n.shape.key, depth); err != nil {
			return node{}, err
		}
		if _, err := p.expect(":"); err != nil {
			return node{}, err
		}
		if err := p.element(&n, &n.shape.value, depth); err != nil {
			return node{}, err
		}
		if c, err := p.expect(",}"); err != nil || c == '}' {
			return n, err
		}
	}
}

// element adds a value to a list or dictionary, whose elements have the shape all.
func (p *parser) element(n *node, all **shape, depth int) error {
	e, err := p.node(depth + 1)
	if err != nil {
		return err
	}
	both, ok := merge(*all, e.shape)
	if !ok {
		return errors.New("the values of a list must have one type")
	}
	*all = both
	n.all = append(n.all, e)
	return nil
}

func (p *parser) variant(depth int) (node, error) {
	p.rest = p.rest[1:]
	n, err := p.node(depth + 1)
	if err != nil {
		return node{}, err
	}
	if _, err := p.expect(">"); err != nil {
		return node{}, err
	}
	v, err := n.variant()
	return node{shape: shapeOf("v"), value: v}, err
}

func (p *parser) number() (node, error) {
	s := strings.TrimLeft(p.rest, "+-")
	digits := "0123456789"
	if strings.HasPrefix(s, "0x") {
		s, digits = s[2:], "0123456789abcdefABCDEF"
	}
	s = strings.TrimLeft(s, digits)
	basic := numeric
	if fraction, ok := strings.CutPrefix(s, "."); ok {
		s, basic = strings.TrimLeft(fraction, digits), "d"
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s, basic = strings.TrimLeft(strings.TrimLeft(s[1:], "+-"), digits), "d"
	}
	if r, _ := utf8.DecodeRuneInString(s); unicode.IsLetter(r) {
		return node{}, fmt.Errorf("%.40q is no number", p.rest)
	}
	n := node{shape: &shape{kind: 'b', basic: basic}, text: p.rest[:len(p.rest)-len(s)]}
	p.rest = s
	return n, nil
}

// quoted takes a string in quotes, with its escapes replaced.
func (p *parser) quoted(unescape func(string) (string, error)) (string, error) {
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case p.rest[0]:
			s := p.rest[1:i]
			p.rest = p.rest[i+1:]
			return unescape(s)
		}
	}
	return "", errors.New("a string has no end")
}

// escaped returns the character that a letter after a backslash stands for. Others, such
// as quotes, stand for themselves.
func escaped(c byte) byte {
	if i := strings.IndexByte("abfnrt", c); i >= 0 {
		return "\a\b\f\n\r\t"[i]
	}
	return c
}

// unescape replaces the escapes of a string. It has no backslash at the end.
func unescape(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("a string must be UTF-8")
	}
	return replaceEscapes(s, func(out *strings.Builder, c byte, after string) (used int, err error) {
		switch c {
		case '\n':
			return 0, nil
		case 'u', 'U':
			used = 4
			if c == 'U' {
				used = 8
			}
			n, err := digits(after, used, 16, 32)
			out.WriteRune(rune(n))
			return used, err
		}
		return 0, out.WriteByte(escaped(c))
	})
}

// unescapeBytes replaces the escapes of a byte string.
func unescapeBytes(s string) (string, error) {
	return replaceEscapes(s, func(out *strings.Builder, c byte, after string) (used int, err error) {
		base := 8
		switch c {
		case 'x':
			used, base = 2, 16
		case '0':
			used = 3
		default:
			return 0, out.WriteByte(escaped(c))
		}
		n, err := digits(after, used, base, 8)
		return used, errors.Join(err, out.WriteByte(byte(n)))
	})
}

// replaceEscapes has replace write the character c that follows a backslash, which may
// use some of the text after it.
func replaceEscapes(s string, replace func(out *strings.Builder, c byte, after string) (used int, err error)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		used, err := replace(&out, after[0], after[1:])
		if err != nil {
			return "", err
		}
		s = after[1+used:]
	}
}

// digits reads a number of n digits.
func digits(s string, n, base, bits int) (uint64, error) {
	if len(s) < n {
		return 0, errors.New("an escaped character is incomplete")
	}
	return strconv.ParseUint(s[:n], base, bits)
}
