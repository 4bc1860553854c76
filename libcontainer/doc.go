// Package libcontainer is the engine: the noun is [Container], the verbs are
// its methods. It knows the launch plan and the kernel, not the words of
// config.json (package specconv compiles those) and not the command line.
package libcontainer
