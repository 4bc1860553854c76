#!/bin/sh
# Builds the embedded files: helper.bin, a static program linked with libseccomp, and
# helper.txt, which has the version of libseccomp and the SHA-256 of helper.bin, so that
# the runtime need not compute them. To build for another machine, set the variables
# that go uses: GOARCH, CC, PKG_CONFIG.
set -eu
cd "$(dirname "$0")"
CGO_ENABLED=1 ${GO:-go} build -buildvcs=false -trimpath -tags "netgo osusergo cparts" \
	-ldflags "-s -w -linkmode external -extldflags -static" -o helper.bin ./helper
version=$(${PKG_CONFIG:-pkg-config} --modversion libseccomp)
sum=$(sha256sum helper.bin)
printf '%s\n%s\n' "$version" "${sum%% *}" >helper.txt
