#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the child: static and without a C library, so that it is the same few
# KiB whichever compiler makes it. Usage: build.sh OUTPUT (a path relative to
# this directory, or absolute). CHILD_CC names another compiler than cc, for
# instance that of another machine. OUTPUT without .bin, and with .sum instead,
# gets the SHA-256 of the sources and of OUTPUT: tests/parts compares them.
set -eu
LC_ALL=C
cd "$(dirname "$0")"
${CHILD_CC:-cc} -Os -Wall -Wextra -Werror -std=gnu11 -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -fno-pic -no-pie -fno-ident -static -nostdlib -Wl,--build-id=none -Wl,-z,norelro \
	-Wl,-z,noseparate-code -Wl,--sort-section=name -Wl,--fatal-warnings -s -o "$1" src/*.c
sources=$(cat build.sh src/*.[ch] | sha256sum)
built=$(sha256sum <"$1")
printf '%s\n%s\n' "${sources%% *}" "${built%% *}" >"${1%.bin}.sum"
