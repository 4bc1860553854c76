# skiff: see README.md. The two to begin with: `make run`, `make test`.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

# urfave_cli_no_docs keeps out a Markdown parser, which start-up would pay for,
# as it would for cgo. Without cgo the binary is static. cparts has what is
# written in C: where it is not there, this fails, while a build without the tag
# makes a skiff that can start nothing.
TAGS    := urfave_cli_no_docs cparts
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.commit=$(COMMIT)
BUILD   := CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -tags "$(TAGS)"

# What is embedded.
SECCOMP := libcontainer/seccomp
CHILD   := libcontainer/child/child.bin
HELPER  := $(SECCOMP)/helper.bin $(SECCOMP)/helper.txt

SOURCES := $(shell find main.go commands libcontainer specconv VERSION go.mod go.sum -name "*.go" -o -name "*.s" -o -name VERSION -o -name "go.*")

BUILD_DEPS := gcc libc6-dev pkg-config libseccomp-dev
RUN_DEPS   := busybox-static
TEST_DEPS  := $(RUN_DEPS) git procps strace uidmap util-linux

.PHONY: all deps run test unit mutants script script-user fuzz conformance test-criu test-engines test-machine bench lint install clean

# What a failing command has left of its target is not to be taken for it.
.DELETE_ON_ERROR:

all: deps skiff

deps:
	@contrib/deps $(BUILD_DEPS)

skiff: $(CHILD) $(HELPER) $(SOURCES)
	$(BUILD) -ldflags "$(LDFLAGS)" -o $@ .

# The interpreter is part of the binary; it must stay small.
$(CHILD): $(wildcard libcontainer/child/src/*) libcontainer/child/build.sh
	libcontainer/child/build.sh child.bin
	@test -s $@ || { echo "$@ is empty" >&2; exit 1; }
	@test "$$(wc -c <$@)" -le 65536 || { echo "$@ is larger than 64 KiB" >&2; exit 1; }

# So is the seccomp compiler, a program with libseccomp in it. Filters that
# another build of it has cached are compiled again.
$(HELPER) &: $(filter-out %_test.go,$(wildcard $(addprefix $(SECCOMP)/,bpf/*.go compiler/*.go helper/*.go))) $(SECCOMP)/build.sh go.mod go.sum
	GO="$(GO)" $(SECCOMP)/build.sh
	@for f in $(HELPER); do test -s $$f || { echo "$$f is empty" >&2; exit 1; }; done

# A container from busybox that says hello.
run: deps
	@contrib/deps $(RUN_DEPS)
	@$(MAKE) --no-print-directory skiff
	@contrib/bundle ./skiff build/hello echo "hello from skiff"
	./skiff run --bundle build/hello skiff-hello-$$$$

# Everything that this host can run without an engine or a daemon.
test: deps
	@contrib/deps $(TEST_DEPS)
	@$(MAKE) --no-print-directory unit script script-user conformance

unit: $(CHILD) $(HELPER)
	$(GO) vet -tags "$(TAGS)" ./...
	tests/go-test -race -tags "$(TAGS)" ./commands/... ./libcontainer/... ./specconv/... ./contrib/... ./tests/arch/... ./tests/isolate/... ./tests/listing/... ./tests/machine/... ./tests/mutants/...

# Faults that unit tests have to find, without root: tests/mutants/doc.go.
mutants: $(CHILD) $(HELPER)
	$(GO) run ./tests/mutants

# The last line is for what cgroup v1 makes different, with more of it than the
# host has.
script: skiff
	PATH="$(CURDIR)/build/criu:$$PATH" SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/...
	SKIFF_TEST_V1=net_cls,net_prio SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/isolate/ ./tests/script/ -run '^(TestScripts|TestNamespaces|TestCgroupIsWritable)$$/^(legacy|namespaces)-'

# The scripts again, with an ordinary user for a caller: a new one if root runs
# this, in its isolation, and else the one who does.
script-user: skiff
	SKIFF_CALLER=user SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/ -run 'TestScripts|TestKilled'

# The scripts of checkpoint and restore, with a CRIU from a newer Debian; later
# runs of the other targets find it, too.
test-criu: deps skiff
	@contrib/deps iptables
	tests/criu build/criu
	PATH="$(CURDIR)/build/criu:$$PATH" SKIFF=$(CURDIR)/skiff tests/go-test -count=1 -tags "$(TAGS)" ./tests/script/ -run 'TestScripts/(criu|checkpoint)-'

# Looks for inputs that break what must hold for each configuration, and for
# each text of the kernel's. Without the last flag Go minimizes the first
# interesting input for a minute.
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
