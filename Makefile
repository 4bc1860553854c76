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
LDFLAGS := -s -w -X main.commit=$(COMMIT)
BUILD   := CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -tags "$(TAGS)"

# The embedded files.
SECCOMP := libcontainer/seccomp
CHILD   := libcontainer/child/child.bin
HELPER  := $(SECCOMP)/helper.bin $(SECCOMP)/helper.txt

SOURCES := $(shell find main.go commands libcontainer specconv VERSION go.mod go.sum -name "*.go" -o -name "*.s" -o -name VERSION -o -name "go.*")

BUILD_DEPS := gcc libc6-dev pkg-config libseccomp-dev
RUN_DEPS   := busybox-static
TEST_DEPS  := $(RUN_DEPS) git procps strace uidmap util-linux

.PHONY: all deps run test unit mutants script script-user fuzz conformance test-criu test-engines test-machine bench lint install clean

# A command that fails must not leave a target that looks complete.
.DELETE_ON_ERROR:

all: deps skiff

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
skiff: $(CHILD) $(HELPER) $(SOURCES)
	$(BUILD) -ldflags "$(LDFLAGS)" -o $@ .
endif

# The child's interpreter is embedded in the binary, so it must stay small.
$(CHILD): $(wildcard libcontainer/child/src/*) libcontainer/child/build.sh
	libcontainer/child/build.sh child.bin
	@test -s $@ || { echo "$@ is empty" >&2; exit 1; }
	@test "$$(wc -c <$@)" -le 65536 || { echo "$@ is larger than 64 KiB" >&2; exit 1; }

# The seccomp compiler, which links libseccomp, is embedded, too. Filters that
# were cached by another build of it are compiled again.
$(HELPER) &: $(filter-out %_test.go,$(wildcard $(addprefix $(SECCOMP)/,bpf/*.go compiler/*.go helper/*.go))) $(SECCOMP)/build.sh go.mod go.sum
	GO="$(GO)" $(SECCOMP)/build.sh
	@for f in $(HELPER); do test -s $$f || { echo "$$f is empty" >&2; exit 1; }; done

# Runs a container that is made from busybox and says hello.
run: deps
	@contrib/deps $(RUN_DEPS)
	@$(MAKE) --no-print-directory skiff
	@contrib/bundle ./skiff build/hello echo "hello from skiff"
	./skiff run --bundle build/hello skiff-hello-$$$$

# All tests that this host can run without an engine or a daemon.
test: deps
	@contrib/deps $(TEST_DEPS)
	@$(MAKE) --no-print-directory unit script script-user conformance

ifdef CROSS
# With another machine's GOARCH, in its user mode emulation: the unit tests of
# what needs little of the kernel. The rest wants MACHINE_ARCH, see test-machine.
unit: skiff
	tests/foreign $(CROSS)
else
unit: $(CHILD) $(HELPER)
	$(GO) vet -tags "$(TAGS)" ./...
	tests/go-test -race -tags "$(TAGS)" ./commands/... ./libcontainer/... ./specconv/... ./contrib/... ./tests/arch/... ./tests/isolate/... ./tests/listing/... ./tests/machine/... ./tests/mutants/...
endif

# Faults that the unit tests must detect, without root: see
# tests/mutants/doc.go.
mutants: $(CHILD) $(HELPER)
	$(GO) run ./tests/mutants

# The last line runs the tests of cgroup v1, with more v1 hierarchies than the
# host has.
script: skiff
	PATH="$(CURDIR)/build/criu:$$PATH" SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/...
	SKIFF_TEST_V1=net_cls,net_prio SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/isolate/ ./tests/script/ -run '^(TestScripts|TestNamespaces|TestCgroupIsWritable)$$/^(legacy|namespaces)-'

# Runs the scripts again as an ordinary user: if root runs make, a new user
# within the isolation, and otherwise the user who runs make.
script-user: skiff
	SKIFF_CALLER=user SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/ -run 'TestScripts|TestKilled'

# The scripts of checkpoint and restore, with a CRIU from a newer Debian. Later
# runs of the other targets use it, too.
test-criu: deps skiff
	@contrib/deps iptables
	tests/criu build/criu
	PATH="$(CURDIR)/build/criu:$$PATH" SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/ -run 'TestScripts/(criu|checkpoint)-'

# Looks for generated configurations, and texts as the kernel writes them, for
# which an invariant does not hold. Without the last flag Go spends a minute on
# minimizing the first interesting input.
FUZZTIME ?= 1m
FUZZ := specconv/FuzzCompile specconv/FuzzDecode \
	$(addprefix libcontainer/sys/proc/,FuzzMounts FuzzStat FuzzValue FuzzIDMap FuzzCPUList)
fuzz:
	for f in $(FUZZ); do \
		$(GO) test -tags "$(TAGS)" "./$${f%/*}" -run '^$$' -fuzz "^$${f##*/}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x || exit; \
	done

conformance: skiff
	tests/oci/run $(CURDIR)/skiff

test-engines: deps skiff
	RUNTIME=$(CURDIR)/skiff tests/engines/run

test-machine: deps skiff
	tests/machine/run

bench: deps skiff
	tests/bench/run

lint: deps $(CHILD) $(HELPER)
	.ci/lint

install: skiff
	install -D -m 0755 skiff $(DESTDIR)$(PREFIX)/sbin/skiff

clean:
	rm -rf skiff build $(CHILD) $(HELPER)
