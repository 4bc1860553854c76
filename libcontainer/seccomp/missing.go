//go:build !cparts

package seccomp

// In a fresh clone, where nothing has built the helper yet, there is none.
var (
	helper      []byte
	helperFacts = "none\n"
)
