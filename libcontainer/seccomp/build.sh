#!/bin/sh
# Builds the embedded files: helper.bin, a static program linked with libseccomp, and
# helper.txt, which has the version of libseccomp and the SHA-256 of helper.bin, so that
# the runtime need not compute them; and helper.sum, which has the SHA-256 of the sources
# and of helper.bin: tests/parts compares them. To build for another machine, set the variables
# that go uses: GOARCH, CC, PKG_CONFIG.
set -eu
LC_ALL=C
cd "$(dirname "$0")"
CGO_ENABLED=1 ${GO:-go} build -buildvcs=false -trimpath -tags "netgo osusergo cparts" \
	-ldflags "-s -w -linkmode external -extldflags -static" -o helper.bin ./helper
version=$(${PKG_CONFIG:-pkg-config} --modversion libseccomp)
sum=$(sha256sum helper.bin)
printf '%s\n%s\n' "$version" "${sum%% *}" >helper.txt
sources=$(for f in build.sh bpf/*.go compiler/*.go helper/*.go; do
	case $f in
	*_test.go) ;;
	*) cat "$f" ;;
	esac
done | sha256sum)
printf '%s\n%s\n' "${sources%% *}" "${sum%% *}" >helper.sum
