// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// zsh makes the completion of zsh, which describes options by itself (_arguments).
func zsh(verbs []verb) string {
	b := new(strings.Builder)
	b.WriteString(`#compdef skiff
# Completion of skiff(8) for zsh, generated from its table of commands.

# Adds the ids of the containers that have one of the statuses.
_skiff_ids() {
	local id pid state rest
	local -a found
	while read -r id pid state rest; do
		(( ${@[(Ie)$state]} )) && found+=($id)
	done < <($program ${root:+--root=$root} list 2>/dev/null)
	_wanted containers expl container compadd -a found
}

_skiff_commands() {
	local -a list=(
`)
	for _, v := range verbs[1:] {
		fmt.Fprintf(b, "\t\t%s\n", quote(v.name+":"+v.usage))
	}
	b.WriteString(`	)
	_describe -t commands command list
}

_skiff() {
	local curcontext=$curcontext state line program=$words[1] root expl
	typeset -A opt_args
	_arguments -C \
`)
	for _, o := range verbs[0].options {
		b.WriteString(zshOption(&o, "\t\t"))
	}
	b.WriteString(`		'1:command:_skiff_commands' '*::argument:->argument' && return
	[[ $state == argument ]] || return
	root=${(Q)opt_args[--root]}
	root=${root/#\~\//$HOME/}
	case $words[1] in
`)
	for _, v := range verbs[1:] {
		flag := ""
		if v.firstOnly {
			flag = " -A '-*'" // no options after the first argument
		}
		fmt.Fprintf(b, "\t%s)\n\t\t_arguments%s \\\n", v.name, flag)
		for _, o := range v.options {
			b.WriteString(zshOption(&o, "\t\t\t"))
		}
		for i, a := range v.args {
			fmt.Fprintf(b, "\t\t\t%s \\\n", quote(fmt.Sprintf("%d:%s:%s", i+1, zshMessage(a), zshAction(&a))))
		}
		end := "\t\t\t&& return\n"
		if v.firstOnly {
			end = "\t\t\t'*:::argument: ' && return\n"
		}
		b.WriteString(end + "\t\t;;\n")
	}
	b.WriteString("\tesac\n\treturn 1\n}\n\n_skiff \"$@\"\n")
	return b.String()
}

var zshText = strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`)

// zshOption is the line of an option for _arguments.
func zshOption(o *option, margin string) string {
	var names []string
	for _, name := range o.Names {
		name = dashed(name)
		if o.Arg != "" {
			name += "="
		}
		names = append(names, name)
	}
	text := "[" + zshText.Replace(o.Text) + "]"
	if o.Arg != "" {
		text += ":" + zshText.Replace(o.Arg) + ":" + zshAction(&o.value)
	}
	exclude := "(" + strings.ReplaceAll(strings.Join(names, " "), "=", "") + ")"
	if o.Repeats {
		exclude = "*"
	}
	if len(names) == 1 {
		return margin + quote(exclude) + names[0] + quote(text) + " \\\n"
	}
	return margin + quote(exclude) + "{" + strings.Join(names, ",") + "}" + quote(text) + " \\\n"
}

func zshMessage(v value) string {
	if v.kind == ids {
		return "container"
	}
	return "argument"
}

func zshAction(v *value) string {
	switch v.kind {
	case file:
		return "_files"
	case dir:
		return "_files -/"
	case words:
		return "(" + strings.Join(v.words, " ") + ")"
	case ids:
		return " _skiff_ids " + strings.Join(v.words, " ") // the space: without arguments for compadd
	case nothing:
	}
	return " "
}
