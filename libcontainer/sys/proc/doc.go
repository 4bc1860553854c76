// SPDX-License-Identifier: Apache-2.0

// Package proc parses the text formats of /proc and of cgroup files, with one parser
// for each format. It opens no files: package sys reads them.
//
// The kernel escapes the names that it writes, but anybody may choose them: the name of a
// process, the mount points of a container. In tables of which only some lines matter, a
// parser skips a malformed line; anywhere else it is an error.
package proc
