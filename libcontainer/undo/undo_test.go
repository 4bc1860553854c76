// SPDX-License-Identifier: Apache-2.0

package undo

import (
	"errors"
	"slices"
	"testing"
)

func run(release bool, fail error) (order []int, err error) {
	var s Stack
	defer s.Unwind(&err)
	for i := range 3 {
		s.Push(func() error {
			order = append(order, i)
			if s.Failed() != (i == 0) {
				return errors.New("Failed is wrong")
			}
			if i == 1 {
				return errors.New("one")
			}
			return nil
		})
	}
	if release {
		s.Release()
	}
	return order, fail
}

func TestUnwind(t *testing.T) {
	boom := errors.New("boom")
	var order []int
	err := func() (err error) {
		var s Stack
		defer s.Unwind(&err)
		for i := range 3 {
			s.Push(func() error { order = append(order, i); return nil })
		}
		return boom
	}()
	if !errors.Is(err, boom) || len(order) != 3 || order[0] != 2 || order[2] != 0 {
		t.Fatalf("got %v, order %v", err, order)
	}
	order, err = run(false, boom)
	if !errors.Is(err, boom) || err.Error() != "boom\none" {
		t.Fatalf("a clean-up's own error is lost: %v", err)
	}
	if !slices.Equal(order, []int{2, 1, 0}) {
		t.Fatalf("a clean-up that fails keeps others from running: %v", order)
	}
	if order, err := run(false, nil); err != nil || len(order) != 0 {
		t.Fatalf("success was undone: %v %v", order, err)
	}
	if _, err := run(true, boom); err.Error() != "boom" {
		t.Fatalf("released steps ran: %v", err)
	}
}
