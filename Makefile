# SPDX-License-Identifier: GPL-2.0-only
#
# What a user calls; `make help` lists it. The kernel's build never reads this
# file, it reads Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build

# The scripts get these as the user typed them: make must not take a $ in CMD
# for a variable of its own.
SCRIPT_VARIABLES := KERNEL KERNELS TESTS CMD PARAMS RW TIMEOUT REUSE SAVE STRICT OPERATIONS OUT \
	BREAK GDB_COMMANDS TIME HOURS INPUT RUNS FRESH MUTANT TOOLS YES DEBIAN_MIRROR
$(foreach v,$(SCRIPT_VARIABLES),$(if $(filter command% environment%,$(origin $v)),\
	$(eval override $v := $$(value $v))$(eval export $v)))

# Where the user is, which with `make -C` is not where make is.
export CALLER := $(or $(value PWD),$(CURDIR))

# What bash reads before a script can do anything about it, and what would lead
# the kernel's build elsewhere. For a kernel of the user's own, CC, LLVM, ARCH and
# the like go through; what scripts start gets none of them (own_environment() in
# scripts/lib/common.sh).
unexport BASH_ENV SHELLOPTS BASHOPTS POSIXLY_CORRECT
unexport CDPATH GREP_OPTIONS KBUILD_OUTPUT KBUILD_EXTMOD KBUILD_EXTMOD_OUTPUT

.DEFAULT_GOAL := modules
.PHONY: help modules headers clean load unload demo vm trace check test test-tools matrix matrix-full
.PHONY: dkms-install dkms-remove deb
.PHONY: kunit kunit-intree branches mutants coverage faults stress fuzz fuzz-planted soak bench profile
.PHONY: kernel
.PHONY: gdb compile_commands.json

# Ends with the reason, where the kernel's build would fail without a word of it.
fit = @for path in "$$(pwd -P)" "$(KDIR)"; do case $$path in *[[:space:]:,%\$$\;\&\|\<\>\(\)\`\'\"\\*?]*) \
	printf "mmapdemo: Linux's build takes no path with a space, a comma, a colon or the like; move this: %s\n" \
		"$$path" >&2; exit 1 ;; esac; done

# What stands behind "##" at each target of $1; $2: in which column.
describe = for t in $(1); do \
	sed -n "s/^$$t:.*\#\# /  make $$t	/p" Makefile; done | expand -t $(or $(2),20)

help:	## this list
	@echo 'mmapdemo: a character device that shows how a driver serves mmap(2)'
	@echo
	@echo 'Try it in a virtual machine; nothing touches the kernel that runs here:'
	@$(call describe,demo vm trace check test test-tools matrix matrix-full kunit \
		kunit-intree branches mutants coverage faults stress fuzz fuzz-planted soak bench \
		profile kernel)
	@echo
	@echo 'Work on it:'
	@$(call describe,gdb compile_commands.json,31)
	@echo
	@echo 'Build it for a kernel, or use it on this machine:'
	@$(call describe,modules load unload dkms-install dkms-remove deb headers clean)
	@echo
	@echo 'Variables:'
	@echo "  CMD='...'      vm, trace: run this; make fails when it does"
	@echo '                 gdb: run this instead of a program that touches the device'
	@echo '  OUT=trace      trace: draw into OUT.svg, OUT.txt and OUT.dat'
	@echo '  RW=1           vm: keep what is written below the current directory'
	@echo '  KERNEL=6.12    vm, trace, kernel, ...: which one; a wrong name lists them all'
	@echo "  KERNELS='...'  test, kunit, ...: on which (test: 6.12-debug 7.3 6.12 6.1)"
	@echo "  TESTS='...'    test: these selftests alone, as in TESTS='mapping dirty'"
	@echo "  TOOLS='...'    test-tools: these of selftests/tools alone, as in TOOLS=trace"
	@echo '  REUSE=1        branches, coverage, bench: of the last run'
	@echo '  SAVE=1         bench, profile, fuzz: tables, charts, inputs into the tree, too'
	@echo "  OPERATIONS='...'  profile: which of bench's, with ; in between"
	@echo '  STRICT=1       bench: fail when a goal is not met'
	@echo "  PARAMS='...'   vm, trace, load: module parameters, as in PARAMS='size=1G'"
	@echo '  TIMEOUT=600    vm, trace, gdb, test: end the guest after so many seconds'
	@echo '  TIME=600       fuzz: seconds; stress: for each kernel; fuzz-planted: each bug'
	@echo '  HOURS=1        soak: for how long; 0.1 is six minutes'
	@echo '  INPUT=FILE     fuzz: run this input alone'
	@echo '  FRESH=1        fuzz: without what earlier runs have found'
	@echo '  BREAK=...      gdb: stop in this function, not in mmapdemo_fault'
	@echo '  GDB_COMMANDS=FILE  gdb: run these commands, and leave'
	@echo '  YES=1          install the Debian packages that a command needs without asking'
	@echo '  DEBIAN_MIRROR=URI  where the kernels come from, if not from a mirror that apt'
	@echo '                 knows, as on Ubuntu; it takes the package debian-archive-keyring'
	@echo '  KDIR=...       modules, load: build directory of another kernel'

modules:	## module/mmapdemo.ko for the running kernel, or KDIR=...
	$(fit)
	@[ -e $(KDIR)/Makefile ] || scripts/package/load.sh explain-headers $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

headers:	## build it for every kernel whose headers apt has
	@scripts/kernels/headers.sh

clean:	## remove what the build left here (the cache stays)
	$(fit)
	@! [ -e $(KDIR)/Makefile ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

load: modules	## build it and load it into the running kernel
	@scripts/package/load.sh load

unload:	## unload it again
	@scripts/package/load.sh unload

dkms-install:	## install it with DKMS: built again for each new kernel
	@scripts/package/dkms.sh install

dkms-remove:	## take it out of DKMS again
	@scripts/package/dkms.sh remove

deb:	## the Debian package mmapdemo-dkms: module, man pages, command
	@scripts/package/deb.sh

demo:	## the guided tour: fetch a kernel, boot it, watch the device work
	@scripts/run/demo.sh

vm:	## a shell in the same guest, with your files and /dev/mmapdemo
	@scripts/guest/vm.sh

trace:	## run a program there, and draw what it did: CMD='...', OUT=trace
	@scripts/measure/trace.sh

check:	## static checks: checkpatch, sparse, coccicheck, gcc, clang, ...
	@scripts/run/check.sh

test:	## all tests, on 6.1, 6.12, 7.3, and with every debugging aid
	@scripts/run/test.sh

test-tools:	## the tests of trace and the like, which boot guests of their own
	@scripts/run/test-tools.sh

matrix:	## the same, and on 7.3 with mmap_prepare; and a table
	@scripts/run/matrix.sh

matrix-full:	## the same, and on arm64 (4K and 64K pages) and 32-bit x86
	@scripts/run/matrix.sh full

kunit:	## the KUnit suites alone, reported by the kernel's kunit.py
	@scripts/run/kunit.sh

kunit-intree:	## the same, built into the kernels' own trees by kunit.py
	@scripts/run/kunit-intree.sh

branches:	## all tests, and which branches of mmap they have proven
	@scripts/run/branches.sh

mutants:	## break the module in many ways; the tests are to notice each
	@scripts/run/mutants.sh

coverage:	## all tests once more, to see which lines and branches they run
	@scripts/measure/coverage.sh

faults:	## fail each allocation of each call, one at a time
	@scripts/run/faults.sh

stress:	## fio, stress-ng, kills, OOM, coredumps, hotplug, rmmod at once
	@scripts/run/stress.sh

fuzz:	## look for sequences of calls that go wrong, guided by coverage
	@scripts/run/fuzz.sh

fuzz-planted:	## break the module in five ways; the fuzzer is to find them
	@scripts/run/fuzz-planted.sh

soak:	## stress and fuzz in turns, for HOURS=1
	@scripts/run/stress.sh soak

bench:	## what a mapping costs, next to memfd and others; goals, charts
	@scripts/measure/bench.sh

profile:	## in which functions the instructions are that bench counts
	@scripts/measure/profile.sh

gdb:	## the guest under gdb, stopped in the fault handler
	@scripts/run/gdb.sh

compile_commands.json:	## for clangd: how each C file is compiled
	@scripts/run/compile-commands.sh

kernel:	## only get kernel KERNEL=... ready
	@scripts/kernels/kernel.sh $(or $(KERNEL),6.12)
