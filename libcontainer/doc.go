// SPDX-License-Identifier: Apache-2.0

// Package libcontainer implements the operations on containers, mostly as methods of
// [Container]. It works on the launch plan and the kernel; it knows neither
// config.json's members (package specconv compiles those into the plan) nor the command
// line.
package libcontainer
