# SPDX-License-Identifier: GPL-2.0
# What the scripts share, sourced by bash: messages, builds, kernels. Guests are in
# guest.sh.

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

# build_module SOURCE_TREE KDIR [ARGS]: builds SOURCE_TREE against KDIR; ARGS are
# make's, such as the ARCH of a KDIR that is not for this machine
build_module() {
	make -C "$2" M="$1" W=1 -j"$jobs" "${@:3}" modules
}

# copy_sources DIR: what the kernel's build system needs, so that the module can be
# built for several kernels and the checkout stays as it is
copy_sources() {
	rm -rf "$1"
	mkdir -p "$1"
	cp -r "$top/Kbuild" "$top"/pmtu_hostroute.[ch] "$top/src" "$top/tests" "$1/"
	find "$1" \( -name '*.o' -o -name '*.ko' -o -name '*.cmd' -o -name '*.mod*' \) -delete
}

# debian_headers: of Debian's kernel for virtual machines. Sets kdir and release.
debian_headers() {
	kdir=$(printf '%s\n' /usr/src/linux-headers-*-cloud-amd64 | sort -V | tail -n 1)
	[ -d "$kdir" ] || die "no linux-headers-*-cloud-amd64 under /usr/src"
	release=${kdir#/usr/src/linux-headers-}
}

# debian_kernel LOG: Debian's kernel image that belongs to those headers; unpacked
# into the cache, not installed. Sets kdir, release and image.
debian_kernel() {
	local version
	debian_headers
	version=$(dpkg-query -W -f '${Version}' "linux-headers-$release")
	image=$cache/debian-$version
	[ ! -e "$image/complete" ] || return 0
	say "Debian's kernel image $release $version"
	rm -rf "$image"
	mkdir -p "$image"
	(cd "$image" && quietly "$1" timeout 600 apt-get -o APT::Sandbox::User=root \
		download "linux-image-$release=$version")
	dpkg-deb -x "$image"/linux-image-*.deb "$image"
	depmod -b "$image" "$release"
	touch "$image/complete"
}

# kernel_source: the kernel's source, from Debian's package, unpacked into the cache
# by scripts/test-kernel. Sets source.
kernel_source() {
	source=$cache/source-$(dpkg-query -W -f '${Version}' linux-source-6.1)/linux-source-6.1
	[ -e "$source/../complete" ] || "$top/scripts/test-kernel" >/dev/null
}
