#!/bin/sh
# Builds what is embedded here: helper.bin, the static program that has
# libseccomp, and helper.txt, which tells libseccomp's version and the program's
# SHA-256, so that the runtime need not find them out. For another machine, set
# what Go knows: GOARCH, CC, PKG_CONFIG.
set -eu
cd "$(dirname "$0")"
CGO_ENABLED=1 ${GO:-go} build -buildvcs=false -trimpath -tags "netgo osusergo cparts" \
	-ldflags "-s -w -linkmode external -extldflags -static" -o helper.bin ./helper
version=$(${PKG_CONFIG:-pkg-config} --modversion libseccomp)
sum=$(sha256sum helper.bin)
printf '%s\n%s\n' "$version" "${sum%% *}" >helper.txt
