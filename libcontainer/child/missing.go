//go:build !cparts

package child

// Binary is empty: a fresh clone, where nothing has built the interpreter yet,
// compiles like this.
var Binary []byte
