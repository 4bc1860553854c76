# SPDX-License-Identifier: Apache-2.0
# skiff: see README.md. To begin with: `make run`, `make test`.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

# urfave_cli_no_docs leaves out a Markdown parser, which would slow down every
# start. So would cgo; without it the binary is also static. With cparts, the
# build fails if the embedded programs that need a C compiler are missing;
# without the tag it would make a skiff that cannot start anything.
TAGS    := urfave_cli_no_docs cparts
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null)
# This file is newer than skiff if skiff has been built from another commit.
BUILT   := build/commit
LDFLAGS := $(shell cat contrib/ldflags) -X main.commit=$(COMMIT)
BUILD   := CGO_ENABLED=0 GOEXPERIMENT=$$(GO="$(GO)" contrib/goexperiment) $(GO) build -buildvcs=false -trimpath -tags "$(TAGS)"

# The embedded files.
SECCOMP := libcontainer/seccomp
CHILD   := libcontainer/child/child.bin
HELPER  := $(SECCOMP)/helper.bin $(SECCOMP)/helper.txt
# By these, tests know whether the embedded files are those of the sources.
CSUM    := $(CHILD:.bin=.sum)
HSUM    := $(SECCOMP)/helper.sum
PARTS   := $(CHILD) $(CSUM) $(HELPER) $(HSUM)

GENERATE    := GOOS= GOARCH= CGO_ENABLED=0 $(GO) run -trimpath -tags "$(TAGS)"
MAN_SOURCES := $(wildcard contrib/man/pages/*)

SOURCES := $(shell find main.go commands libcontainer specconv VERSION go.mod go.sum -name "*.go" -o -name "*.s" -o -name VERSION -o -name "go.*")

BUILD_DEPS := gcc libc6-dev pkg-config libseccomp-dev
RUN_DEPS   := busybox-static
TEST_DEPS  := $(RUN_DEPS) dbus-daemon fish git man-db mandoc procps strace uidmap util-linux zsh

# For the rules that need them.
NO_DEPS := echo "make: a C compiler and libseccomp are needed: first run 'make deps' as root, or install what Debian calls $(BUILD_DEPS)" >&2; exit 1

.PHONY: all deps man completions run test unit mutants script script-user test-user fuzz conformance test-criu test-engines test-machine bench lint install uninstall clean FORCE

# A command that fails must not leave a target that looks complete.
.DELETE_ON_ERROR:

all: deps skiff man completions

deps:
	@contrib/deps $(BUILD_DEPS)

# With another machine's GOARCH, skiff is in build/GOARCH, so that ./skiff is
# always one that runs here.
ifneq ($(GOARCH),)
ifneq ($(GOARCH),$(shell $(GO) env GOHOSTARCH))
CROSS := $(GOARCH)
endif
endif

ifdef CROSS
.PHONY: skiff
skiff:
	GO="$(GO)" contrib/cross $(CROSS) build/$(CROSS)/skiff
	@echo "build/$(CROSS)/skiff"
else
skiff: $(PARTS) $(SOURCES) $(BUILT) contrib/ldflags contrib/goexperiment
	$(BUILD) -ldflags "$(LDFLAGS)" -o $@ .
endif

$(BUILT): FORCE
	@mkdir -p $(@D)
	@echo "$(COMMIT)" | cmp -s - $@ || echo "$(COMMIT)" >$@

# The child's interpreter is embedded in the binary, so it must stay small.
$(CHILD) $(CSUM) &: $(wildcard libcontainer/child/src/*) libcontainer/child/build.sh
	@command -v "$${CHILD_CC:-cc}" >/dev/null || { $(NO_DEPS); }
	libcontainer/child/build.sh child.bin
	@test -s $(CHILD) || { echo "$(CHILD) is empty" >&2; exit 1; }
	@test "$$(wc -c <$(CHILD))" -le 65536 || { echo "$(CHILD) is larger than 64 KiB" >&2; exit 1; }

# The seccomp compiler, which links libseccomp, is embedded, too. Filters that
# were cached by another build of it are compiled again.
$(HELPER) $(HSUM) &: $(filter-out %_test.go,$(wildcard $(addprefix $(SECCOMP)/,bpf/*.go compiler/*.go library/*.go helper/*.c))) $(SECCOMP)/build.sh
	@"$${PKG_CONFIG:-pkg-config}" --exists libseccomp 2>/dev/null || { $(NO_DEPS); }
	$(SECCOMP)/build.sh
	@for f in $(HELPER); do test -s $$f || { echo "$$f is empty" >&2; exit 1; }; done

# The manual pages and the completions of shells are made by programs that read
# the table of commands, on this machine even if skiff is for another one.
man: build/man/skiff.8
completions: build/completions/skiff

build/man/skiff.8: $(CHILD) $(HELPER) $(SOURCES) $(wildcard contrib/man/*.go) $(MAN_SOURCES)
	rm -rf build/man
	$(GENERATE) ./contrib/man "$$(cat VERSION)" build/man

build/completions/skiff: $(CHILD) $(HELPER) $(SOURCES) $(wildcard contrib/completion/*)
	rm -rf build/completions
	$(GENERATE) ./contrib/completion build/completions

# Runs a container that is made from busybox and says hello. An ordinary user
# without XDG_RUNTIME_DIR has to say where its state goes.
STATE = $(if $(XDG_RUNTIME_DIR),,$(shell [ "$$(id -u)" = 0 ] || echo "--root build/state "))
run:
	@contrib/deps $(BUILD_DEPS) $(RUN_DEPS)
	@$(MAKE) --no-print-directory skiff
	@contrib/bundle ./skiff build/hello echo "hello from skiff"
	./skiff $(STATE)run --bundle build/hello skiff-hello-$$$$

# All tests that this host can run without an engine or a daemon. V=1 prints the
# names of the skipped tests, too.
test: deps
	@contrib/deps $(TEST_DEPS)
	+@MAKE="$(MAKE)" tests/all unit script script-user conformance

# The whole output of the tests.
LOG := $(CURDIR)/build/log

UNITS := ./commands/... ./libcontainer/... ./specconv/... ./contrib/... \
	$(addsuffix /...,$(addprefix ./tests/,arch bench golden isolate listing mutants parts tally tried))

ifdef CROSS
# With another machine's GOARCH, in its user mode emulation: the unit tests of
# what needs little of the kernel. The rest wants MACHINE_ARCH, see test-machine.
unit: skiff
	tests/foreign $(CROSS)
else
unit: $(PARTS)
	@$(GO) vet -tags "$(TAGS)" ./...
	@GO_TEST_LOG=$(LOG)/unit.log tests/go-test -race -tags "$(TAGS)" $(UNITS)
	@cd tests/oci && GO_TEST_LOG=$(LOG)/oci.log ../go-test .
endif

# Faults that the unit tests must detect, without root: see
# tests/mutants/doc.go.
mutants: $(PARTS)
	$(GO) run ./tests/mutants

# The last line runs the tests of cgroup v1, with more v1 hierarchies than the
# host has.
script: skiff
	@PATH="$(CURDIR)/build/criu:$$PATH" GO_TEST_LOG=$(LOG)/script.log SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/... ./tests/guard/...
	@SKIFF_TEST_V1=net_cls,net_prio GO_TEST_LOG=$(LOG)/script-v1.log SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/isolate/ ./tests/script/ -run '^(TestScripts|TestNamespaces|TestCgroupIsWritable)$$/^(legacy|namespaces)-'

# Writes the budgets of tests/guard anew: what a start may cost.
.PHONY: budget
budget: skiff
	SKIFF=$(CURDIR)/skiff $(GO) test -count=1 -tags "$(TAGS)" ./tests/guard/ -update
	@git diff --stat -- tests/guard

# Runs the scripts again as an ordinary user: if root runs make, a new user
# within the isolation, and otherwise the user who runs make.
script-user: skiff
	@SKIFF_CALLER=user GO_TEST_LOG=$(LOG)/script-user.log SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/ -run 'TestScripts|TestKilled'

# Runs the tests again without any privilege, as nobody if root runs make: most of
# them need none, and the others must be skipped. That user can use neither root's
# build cache nor its modules, so the programs of the scripts are built before, and
# the tests of the source and of what is built from it (arch, contrib) are left out.
PROGRAMS := $(CURDIR)/build/programs
test-user: skiff
	@rm -rf $(PROGRAMS) && mkdir -p $(PROGRAMS)
	@cd tests/script && PROGRAMS=$(PROGRAMS) SKIFF=$(CURDIR)/skiff $(GO) test -count=1 -tags "$(TAGS)" -run '^$$' . >/dev/null
	@GO_TEST_LOG=$(LOG)/unit-user.log tests/go-test -race -count=1 -exec $(CURDIR)/tests/as-user -tags "$(TAGS)" $(filter-out ./tests/arch/... ./contrib/...,$(UNITS))
	@PROGRAMS=$(PROGRAMS) GO_TEST_LOG=$(LOG)/script-plain.log SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -exec $(CURDIR)/tests/as-user -tags "$(TAGS)" ./tests/script/

# The scripts of checkpoint and restore, with a CRIU from a newer Debian. Later
# runs of the other targets use it, too.
test-criu: deps skiff
	@contrib/deps iptables
	tests/criu build/criu
	@PATH="$(CURDIR)/build/criu:$$PATH" GO_TEST_LOG=$(LOG)/criu.log SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/ -run 'TestScripts/(criu|checkpoint)-'

# Looks for generated configurations, and texts as the kernel writes them, for
# which an invariant does not hold. Without the last flag Go spends a minute on
# minimizing the first interesting input.
FUZZTIME ?= 1m
FUZZ := specconv/FuzzCompile specconv/FuzzDecode libcontainer/store/FuzzQuote \
	$(addprefix libcontainer/systemd/dbus/,FuzzRead FuzzParse) \
	$(addprefix libcontainer/sys/proc/,FuzzMounts FuzzStat FuzzValue FuzzIDMap FuzzCPUList)
fuzz:
	for f in $(FUZZ); do \
		$(GO) test -tags "$(TAGS)" "./$${f%/*}" -run '^$$' -fuzz "^$${f##*/}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit; \
	done

conformance: skiff
	@tests/oci/run $(CURDIR)/skiff $(if $(V),-v)

test-engines: deps skiff
	GO_TEST_LOG=$(LOG)/engines.log RUNTIME=$(CURDIR)/skiff tests/engines/run

test-machine: deps skiff
	tests/machine/run

.PHONY: release packages test-release test-packages

# Archives, packages and bills of materials, in dist: see contrib/release and
# contrib/packages. ARCHS has the architectures.
release: deps
	GO="$(GO)" contrib/release dist

packages: deps
	GO="$(GO)" contrib/packages dist

# Makes a release and its packages twice, in two clones of the last commit, and
# compares the files.
test-release: deps
	tests/release/twice

# Installs, uses and removes the packages.
test-packages: deps
	tests/release/packages

bench: deps skiff
	tests/bench/run

# What users of engines wait for, with skiff, crun and runc.
.PHONY: bench-engines
bench-engines: deps skiff
	tests/engines/times/run

# SOAK containers, and as many processes in one: nothing may be left of them.
.PHONY: soak
SOAK ?= 10000
soak: deps skiff
	SKIFF=$(CURDIR)/skiff $(GO) test -count=1 -timeout 60m -tags "$(TAGS)" ./tests/guard/ -run '^TestSoak$$' -v -soak $(SOAK)

lint: deps $(PARTS)
	.ci/lint

SHARE := $(DESTDIR)$(PREFIX)/share
DOCS  := LICENSE $(wildcard NOTICE)

# After make, root needs no Go and no C compiler for this.
install: skiff man completions
	install -D -m 0755 skiff $(DESTDIR)$(PREFIX)/sbin/skiff
	install -d $(SHARE)/man/man5 $(SHARE)/man/man8 $(SHARE)/doc/skiff
	install -m 0644 build/man/*.5 $(SHARE)/man/man5
	install -m 0644 build/man/*.8 $(SHARE)/man/man8
	install -D -m 0644 build/completions/skiff $(SHARE)/bash-completion/completions/skiff
	install -D -m 0644 build/completions/_skiff $(SHARE)/zsh/site-functions/_skiff
	install -D -m 0644 build/completions/skiff.fish $(SHARE)/fish/vendor_completions.d/skiff.fish
	install -m 0644 $(DOCS) $(SHARE)/doc/skiff

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/skiff
	rm -f $(patsubst contrib/man/pages/%.5,$(SHARE)/man/man5/%.5,$(filter %.5,$(MAN_SOURCES)))
	rm -f $(patsubst contrib/man/pages/%.8,$(SHARE)/man/man8/%.8,$(filter %.8,$(MAN_SOURCES)))
	rm -f $(SHARE)/bash-completion/completions/skiff $(SHARE)/zsh/site-functions/_skiff
	rm -f $(SHARE)/fish/vendor_completions.d/skiff.fish $(addprefix $(SHARE)/doc/skiff/,$(DOCS))
	rmdir --ignore-fail-on-non-empty $(SHARE)/doc/skiff 2>/dev/null || true

clean:
	rm -rf skiff build dist $(PARTS)
