// SPDX-License-Identifier: Apache-2.0

package notify

import "time"

// pace is a token bucket that limits how fast messages are read, because neither skiff
// nor the manager is subject to the container's limits. A container that floods the
// socket blocks in send(2).
type pace struct {
	full time.Time // when the bucket is full again
}

const (
	burst    = 200                   // tokens in a full bucket
	interval = 10 * time.Millisecond // time after which a token is added
)

// take takes a token; there must be one.
func (p *pace) take(now time.Time) {
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(interval)
}

// wait returns how long it takes until there is a token.
func (p *pace) wait(now time.Time) time.Duration {
	return max(0, p.full.Add(-(burst-1)*interval).Sub(now))
}
