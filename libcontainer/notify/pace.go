package notify

import "time"

// A pace bounds how fast messages are read: neither skiff nor the manager is
// within the container's limits. Who floods waits in send(2).
type pace struct {
	full time.Time // when all tokens are back
}

const (
	burst    = 200
	interval = 10 * time.Millisecond // a token comes back
)

// take uses a token up; there must be one.
func (p *pace) take(now time.Time) {
	if p.full.Before(now) {
		p.full = now
	}
	p.full = p.full.Add(interval)
}

// wait is how long it takes until there is a token.
func (p *pace) wait(now time.Time) time.Duration {
	return max(0, p.full.Add(-(burst-1)*interval).Sub(now))
}
