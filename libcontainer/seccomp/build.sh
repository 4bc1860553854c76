#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the embedded files: helper.bin, a static program linked with libseccomp, and
# helper.txt, which has the version of libseccomp, and the SHA-256 of helper.bin and of the
# rest of the compiler, so that the runtime need not compute them; and helper.sum, which has
# the SHA-256 of the sources and of helper.bin: tests/parts compares them. Usage: build.sh
# [FOLDER], where the files are put instead of here. To build for another machine, or with
# another libseccomp, set the variables CC, PKG_CONFIG, PKG_CONFIG_PATH.
set -eu
LC_ALL=C
out=$(realpath "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"
pkg=${PKG_CONFIG:-pkg-config}
# Without a build id and paths the same sources make the same bytes in any folder.
# shellcheck disable=SC2046 # several flags
${CC:-cc} -O2 -Wall -Wextra -Werror -std=gnu11 -fno-ident -no-pie $($pkg --cflags libseccomp) -o "$out/helper.bin" helper/*.c \
	-static -s -Wl,--build-id=none -Wl,--gc-sections $($pkg --static --libs libseccomp)
version=$($pkg --modversion libseccomp)
code() {
	for f in bpf/*.go compiler/*.go library/*.go; do
		case $f in
		*_test.go) ;;
		*) cat "$f" ;;
		esac
	done
}
compiler=$({ cat "$out/helper.bin" && code; } | sha256sum)
printf '%s\n%s\n' "$version" "${compiler%% *}" >"$out/helper.txt"
sources=$({ cat build.sh && code && cat helper/*.c; } | sha256sum)
built=$(sha256sum <"$out/helper.bin")
printf '%s\n%s\n' "${sources%% *}" "${built%% *}" >"$out/helper.sum"
