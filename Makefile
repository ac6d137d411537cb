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
# scripts/lib/environment.sh).
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
	printf "mmapdemo: the kernel's build cannot handle a space, comma, colon or the like in a path; move this: %s\n" \
		"$$path" >&2; exit 1 ;; esac; done

# What stands behind "##" at each target of $1; $2: in which column.
describe = for t in $(1); do \
	sed -n "s/^$$t:.*\#\# /  make $$t	/p" Makefile; done | expand -t $(or $(2),20)

# The first screen is for newcomers.
help:	## this list
	@echo 'mmapdemo: a character device that shows how a driver implements mmap(2)'
	@echo
	@echo "Try it in a virtual machine; nothing is loaded into this machine's kernel:"
	@$(call describe,demo vm trace)
	@echo
	@echo 'Use it on this machine:'
	@$(call describe,modules load unload)
	@echo
	@echo 'Test it:'
	@$(call describe,check test)
	@echo
	@echo 'With these variables:'
	@echo "  CMD='...'      vm, trace: run this command; make fails if it does"
	@echo "  PARAMS='...'   vm, trace, load: module parameters, as in PARAMS='size=1G'"
	@echo '  KERNEL=6.12    vm, trace: boot this kernel; a wrong name lists them'
	@echo "  KERNELS='...'  test: run on these kernels, as in KERNELS='6.12 6.1'"
	@echo "  TESTS='...'    test: only these selftests, as in TESTS='mapping dirty'"
	@echo '  RW=1           vm, trace: keep what is written below the current directory'
	@echo '  YES=1          install missing packages without asking'
	@echo
	@echo 'Test it in depth:'
	@$(call describe,matrix matrix-full kunit kunit-intree faults stress fuzz soak test-tools)
	@echo
	@echo 'Measure the tests:'
	@$(call describe,branches mutants coverage fuzz-planted)
	@echo
	@echo 'Measure the device:'
	@$(call describe,bench profile)
	@echo
	@echo 'Install it:'
	@$(call describe,dkms-install dkms-remove deb)
	@echo
	@echo 'Work on it:'
	@$(call describe,gdb kernel headers clean)
	@$(call describe,compile_commands.json,29)
	@echo
	@echo '  KDIR=...       modules, load: build directory of another kernel'
	@echo '  KERNEL=...     bench, faults, gdb, kernel, mutants, profile: use this kernel'
	@echo "  KERNELS='...'  matrix, kunit, branches, stress, ...: run on these kernels"
	@echo '  OUT=trace      trace: write OUT.svg, OUT.txt and OUT.dat'
	@echo '  TIMEOUT=600    vm, trace, gdb, test: stop the guest after this many seconds'
	@echo '  TIME=600       fuzz: seconds; stress: for each kernel; fuzz-planted: each bug'
	@echo '  HOURS=1        soak: how long; 0.1 is six minutes'
	@echo "  TOOLS='...'    test-tools: only these of selftests/tools, as in TOOLS=trace"
	@echo "  REUSE=1        branches, coverage, bench: reuse the last run's results"
	@echo '  SAVE=1         bench, profile, fuzz: update tables, charts and inputs here'
	@echo '  STRICT=1       bench: fail if a goal is missed'
	@echo "  OPERATIONS='...'  profile: only these of bench's, separated by ;"
	@echo '  INPUT=FILE     fuzz: run only this input, RUNS=20 times'
	@echo '  FRESH=1        fuzz: ignore what earlier runs found'
	@echo '  MUTANT=NAME    fuzz: break the module by this patch of selftests/mutants'
	@echo "  CMD='...'      gdb: run this, not a program that touches the device"
	@echo '  BREAK=...      gdb: stop in this function, not in mmapdemo_fault'
	@echo '  GDB_COMMANDS=FILE  gdb: run these commands, then exit'
	@echo '  DEBIAN_MIRROR=URI  get kernels here if apt names no Debian mirror (Ubuntu);'
	@echo '                 needs the package debian-archive-keyring'
	@echo '  XDG_CACHE_HOME=DIR  put the cache here instead of ~/.cache'

modules:	## build module/mmapdemo.ko for the running kernel
	$(fit)
	@[ -e $(KDIR)/Makefile ] || scripts/package/load.sh explain-headers $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

headers:	## build it for every kernel whose headers apt has
	@scripts/kernels/headers.sh

clean:	## remove what the build left here (the cache stays)
	$(fit)
	@! [ -e $(KDIR)/Makefile ] || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

load: modules	## build the module and load it into the running kernel
	@scripts/package/load.sh load

unload:	## unload it
	@scripts/package/load.sh unload

dkms-install:	## install it with DKMS, which rebuilds it for new kernels
	@scripts/package/dkms.sh install

dkms-remove:	## remove it from DKMS
	@scripts/package/dkms.sh remove

deb:	## build the Debian package mmapdemo-dkms
	@scripts/package/deb.sh

demo:	## guided tour: fetch a kernel, boot it, watch the device
	@scripts/run/demo.sh

vm:	## shell in that guest, with your files and /dev/mmapdemo
	@scripts/guest/vm.sh

trace:	## run CMD='...' in the guest and draw its page faults
	@scripts/measure/trace.sh

check:	## static checks: checkpatch, sparse, coccicheck, gcc, clang
	@scripts/run/check.sh

test:	## all tests on 6.1, 6.12, 7.3 and a 6.12 with debug options
	@scripts/run/test.sh

test-tools:	## test trace, gdb, DKMS, the package and module signatures
	@scripts/run/test-tools.sh

matrix:	## all tests, also on 7.3 with mmap_prepare; prints a table
	@scripts/run/matrix.sh

matrix-full:	## the same, also on arm64 and 32-bit x86
	@scripts/run/matrix.sh full

kunit:	## the KUnit suites alone, reported by the kernel's kunit.py
	@scripts/run/kunit.sh

kunit-intree:	## the same, built into the kernel trees by kunit.py
	@scripts/run/kunit-intree.sh

branches:	## all tests: how many branches of mmap do they prove?
	@scripts/run/branches.sh

mutants:	## break the module in many ways: do the tests notice?
	@scripts/run/mutants.sh

coverage:	## all tests: which lines and branches do they reach?
	@scripts/measure/coverage.sh

faults:	## make each allocation of each call fail, one at a time
	@scripts/run/faults.sh

stress:	## fio, stress-ng, kills, OOM, coredumps, hotplug, rmmod
	@scripts/run/stress.sh

fuzz:	## search for call sequences that go wrong, by coverage
	@scripts/run/fuzz.sh

fuzz-planted:	## break the module in five ways: does the fuzzer notice?
	@scripts/run/fuzz-planted.sh

soak:	## alternate stress and fuzz, for HOURS=1
	@scripts/run/stress.sh soak

bench:	## what a mapping costs, compared with memfd and others
	@scripts/measure/bench.sh

profile:	## which functions execute the instructions of bench
	@scripts/measure/profile.sh

gdb:	## debug a guest, stopped in the fault handler
	@scripts/run/gdb.sh

compile_commands.json:	## tell clangd how each C file is compiled
	@scripts/run/compile-commands.sh

kernel:	## fetch or build kernel KERNEL=..., and nothing else
	@scripts/kernels/kernel.sh $(or $(KERNEL),6.12)
