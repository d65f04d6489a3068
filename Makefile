# SPDX-License-Identifier: GPL-2.0
# For people. What the kernel's build system reads is Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build
JOBS ?= $(shell nproc)
MODULE := pmtu-hostroute.ko

# W=1 C=2 CF=... are handed on to the kernel's build system.
KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR)

.DEFAULT_GOAL := modules
.PHONY: modules load unload install clean help demo check check-long \
	check-harness bench sparse checkpatch

modules: $(KDIR)
	+$(KBUILD) W=1 modules

$(KDIR):
	@echo "No kernel headers at $(KDIR)." >&2
	@echo "On Debian: apt-get install linux-headers-$$(uname -r)" >&2
	@echo "Or name another kernel's: make KDIR=/usr/src/linux-headers-..." >&2
	@false

load: modules
	insmod $(MODULE)

unload:
	rmmod pmtu_hostroute

install: modules
	$(KBUILD) modules_install

clean:
	rm -rf build
	@if [ -d "$(KDIR)" ]; then $(KBUILD) clean; fi

sparse: $(KDIR)
	+$(KBUILD) W=1 C=2 CF=-D__CHECK_ENDIAN__ modules

checkpatch:
	scripts/checkpatch

demo:
	scripts/demo

check:
	scripts/check

check-long:
	scripts/check long

check-harness:
	scripts/check harness

bench:
	scripts/bench

help:
	@echo 'make                 build $(MODULE) for the running kernel, or KDIR=...'
	@echo 'make load | unload   insmod, rmmod'
	@echo 'make install         modules_install'
	@echo 'make demo            KB 898060 replayed in QEMU: stock, the fault, the module (1 min)'
	@echo 'make check           static checks; KUnit and end-to-end tests in QEMU under KASAN,'
	@echo '                     lockdep and kmemleak; 32-bit kernels (45 min; 30 more to build'
	@echo '                     the test kernels the first time)'
	@echo '                     scripts/check NAME runs one test, wherever it belongs; --list'
	@echo '                     says which there are (tests/README.md)'
	@echo 'make check-long      the same with a million routes, with everything at once on 2 CPUs'
	@echo '                     as well as on 4, and with the kernel'"'"'s own pmtu.sh (50 min)'
	@echo 'make check-harness   proof that make check can fail: a failing KUnit case, a missing'
	@echo '                     results file, a WARN, a leak, a guest that hangs, a file that'
	@echo '                     uses what is above its floor (7 min)'
	@echo 'make bench           stock kernel and module measured in QEMU, instruction by'
	@echo '                     instruction, against the goals (10 min); ACCEL=kvm: by the clock'
	@echo 'make sparse          sparse with endian checks, silent when all is well'
	@echo 'make checkpatch      checkpatch.pl --strict'
	@echo 'make clean           everything built here; not the cached kernels'
