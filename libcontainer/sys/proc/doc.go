// Package proc reads the text formats of /proc and of cgroup files: one parser
// for each. It opens nothing: package sys reads the files.
//
// The kernel escapes what it writes, but the names in it are anybody's: a
// process calls itself what it likes, and so do the mounts of a container. A line
// that is not of the format is passed over, or an error where it is all there is.
package proc
