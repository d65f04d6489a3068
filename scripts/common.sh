# SPDX-License-Identifier: GPL-2.0
# What the scripts share; sourced by bash.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pmtu-hostroute
jobs=${JOBS:-$(nproc)}

say() { printf '%s\n' "== $*"; }
die() { printf '%s\n' "error: $*" >&2; exit 1; }

# quietly LOG COMMAND...: its output goes to LOG, and to the terminal if it fails
quietly() {
	local log=$1
	shift
	if ! "$@" >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		die "failed: $* (all of it: $log)"
	fi
}

# build_module SOURCE_TREE KDIR: builds SOURCE_TREE against KDIR
build_module() {
	make -C "$2" M="$1" W=1 -j"$jobs" modules
}

# copy_sources DIR: what the kernel's build system needs, so that several
# kernels can be built for at once and the checkout stays as it is
copy_sources() {
	rm -rf "$1"
	mkdir -p "$1"
	cp -r "$top/Kbuild" "$top"/pmtu_hostroute.[ch] "$top/src" "$top/tests" "$1/"
	find "$1" \( -name '*.o' -o -name '*.ko' -o -name '*.cmd' -o -name '*.mod*' \) -delete
}
