#!/bin/sh
# Builds the child: static, without a C library, so that it is the same few KiB
# whichever compiler makes it. Usage: build.sh OUTPUT (in this directory).
set -eu
cd "$(dirname "$0")"
: "${CHILD_CC:=}"
if [ -z "$CHILD_CC" ]; then
	CHILD_CC=gcc
	command -v musl-gcc >/dev/null 2>&1 && CHILD_CC=musl-gcc
fi
exec "$CHILD_CC" -Os -Wall -Wextra -Werror -std=gnu11 -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -fno-pic -no-pie -fno-ident -static -nostdlib -Wl,--build-id=none -Wl,-z,norelro \
	-Wl,-z,noseparate-code -s -o "$1" child.c path.c mount.c dev.c copyup.c process.c hook.c
