// SPDX-License-Identifier: Apache-2.0

package sys

import "sync"

// once keeps a value that is found out at the first use. Unlike the function that
// sync.OnceValue returns, it takes no time while the process starts up.
type once[T any] struct {
	sync.Once
	value T
}

func (o *once[T]) get(find func() T) T {
	o.Do(func() { o.value = find() })
	return o.value
}
