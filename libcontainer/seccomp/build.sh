#!/bin/sh
# Builds the embedded files: helper.bin, a static program linked with libseccomp, and
# helper.txt, which has the version of libseccomp and the SHA-256 of helper.bin, so that
# the runtime need not compute them. Usage: build.sh [FOLDER], where the files are put
# instead of here. To build for another machine, or with another libseccomp, set the
# variables that go and pkg-config use: GOARCH, CC, PKG_CONFIG, PKG_CONFIG_PATH.
set -eu
out=$(realpath "${1:-$(dirname "$0")}")
cd "$(dirname "$0")"
# Without build ids the same sources make the same bytes in any folder.
CGO_ENABLED=1 ${GO:-go} build -buildvcs=false -trimpath -tags "netgo osusergo cparts" \
	-ldflags "-s -w -buildid= -B none -linkmode external -extldflags '-static -Wl,--build-id=none'" -o "$out/helper.bin" ./helper
version=$(${PKG_CONFIG:-pkg-config} --modversion libseccomp)
sum=$(sha256sum "$out/helper.bin")
printf '%s\n%s\n' "$version" "${sum%% *}" >"$out/helper.txt"
