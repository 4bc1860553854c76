//go:build !amd64

package main

var legacyCalls []call
