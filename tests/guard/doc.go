// SPDX-License-Identifier: Apache-2.0

// Package guard has tests that fail if the start of a container becomes more expensive:
// they count system calls, page faults and linked packages, since a time would depend on
// what else the machine does. testdata has the budgets. After an intended change,
//
//	make budget
//
// writes them anew; the difference shows what the change costs.
package guard
