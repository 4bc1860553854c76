#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the embedded files: helper.bin, a static program linked with libseccomp, and
# helper.txt, which has the version of libseccomp and the SHA-256 of helper.bin, so that
# the runtime need not compute them; and helper.sum, which has the SHA-256 of the sources
# and of helper.bin: tests/parts compares them. Usage: build.sh [FOLDER], where the files
# are put instead of here. To build for another machine, or with another libseccomp, set
# the variables that go and pkg-config use: GOARCH, CC, PKG_CONFIG, PKG_CONFIG_PATH.
set -eu
LC_ALL=C
out=$(realpath "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"
# Without build ids the same sources make the same bytes in any folder.
CGO_ENABLED=1 ${GO:-go} build -buildvcs=false -trimpath -tags "netgo osusergo cparts" \
	-ldflags "-s -w -buildid= -B none -linkmode external -extldflags '-static -Wl,--build-id=none'" -o "$out/helper.bin" ./helper
version=$(${PKG_CONFIG:-pkg-config} --modversion libseccomp)
sum=$(sha256sum <"$out/helper.bin")
printf '%s\n%s\n' "$version" "${sum%% *}" >"$out/helper.txt"
sources=$(for f in build.sh bpf/*.go compiler/*.go helper/*.go; do
	case $f in
	*_test.go) ;;
	*) cat "$f" ;;
	esac
done | sha256sum)
printf '%s\n%s\n' "${sources%% *}" "${sum%% *}" >"$out/helper.sum"
