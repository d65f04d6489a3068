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

# build_module SOURCE_TREE KDIR [ARGS]: builds SOURCE_TREE against KDIR; ARGS are
# make's, such as the ARCH of a KDIR that is not for this machine
build_module() {
	make -C "$2" M="$1" W=1 -j"$jobs" "${@:3}" modules
}

# copy_sources DIR: what the kernel's build system needs, so that several
# kernels can be built for at once and the checkout stays as it is
copy_sources() {
	rm -rf "$1"
	mkdir -p "$1"
	cp -r "$top/Kbuild" "$top"/pmtu_hostroute.[ch] "$top/src" "$top/tests" "$1/"
	find "$1" \( -name '*.o' -o -name '*.ko' -o -name '*.cmd' -o -name '*.mod*' \) -delete
}

# debian_kernel LOG: Debian's kernel image that belongs to the headers that are
# installed; unpacked into the cache, not installed. Sets kdir, release and image.
debian_kernel() {
	local version
	kdir=$(printf '%s\n' /usr/src/linux-headers-*-cloud-amd64 | sort -V | tail -n 1)
	[ -d "$kdir" ] || die "no linux-headers-*-cloud-amd64 under /usr/src"
	release=${kdir#/usr/src/linux-headers-}
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

# debian_modules DIR MODULE...: copies them and what they need from that image to
# DIR; DIR/order has their names, in the order in which to load them
debian_modules() {
	local dir=$1 module file
	shift
	mkdir -p "$dir"
	: >"$dir/order"
	for module in "$@"; do
		modprobe -d "$image" -S "$release" --show-depends "$module" 2>/dev/null |
			sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r file; do
		cp "$file" "$dir/"
		basename "$file" >>"$dir/order"
	done
}

# debian_programs LOG PACKAGE...: gets Debian packages, and what they need that this
# machine does not have, into the cache. Unpacked, not installed: a server would
# be started, and users made. Sets programs.
debian_programs() {
	local log=$1 package
	shift
	programs=$cache/programs-$(printf '%s\n' "$@" | sha256sum | cut -c 1-12)
	[ ! -e "$programs/complete" ] || return 0
	say "Debian's packages $*"
	rm -rf "$programs"
	mkdir -p "$programs/archives/partial" "$programs/root"
	quietly "$log" timeout 600 apt-get -y --no-install-recommends --download-only \
		-o Dir::Cache::archives="$programs/archives" -o APT::Sandbox::User=root \
		install "$@"
	for package in "$programs"/archives/*.deb; do
		[ ! -e "$package" ] || dpkg-deb -x "$package" "$programs/root"
	done
	touch "$programs/complete"
}

# add_programs ROOT PROGRAM...: copies programs of those packages, or else of this
# machine, and their libraries, to where they belong under ROOT
add_programs() {
	local root=$1 name file found list
	local libs=$programs/root/usr/lib/x86_64-linux-gnu:$programs/root/lib/x86_64-linux-gnu
	shift
	for name in "$@"; do
		found=''
		for file in "$programs"/root/{usr/,}{sbin,bin}/"$name" /usr/{s,}bin/"$name"; do
			[ ! -f "$file" ] || { found=$file; break; }
		done
		[ -n "$found" ] || die "no program '$name' in Debian's packages"
		list=$(LD_LIBRARY_PATH=$libs ldd "$found" | grep -o '/[^ )]*' || true)
		for file in $found $list; do
			name=${file#"$programs/root"}
			[ "${name#/lib/}" = "$name" ] || name=/usr$name
			mkdir -p "$root${name%/*}"
			[ -e "$root$name" ] || cp -L "$file" "$root$name"
		done
	done
}

# pack ROOT FILE: an initramfs of what is under ROOT
pack() { (cd "$1" && find . | cpio -o -H newc --quiet) >"$2"; }

# python_root ROOT: busybox, python3 with its library, and iproute2, under ROOT
python_root() {
	local root=$1 python stdlib ip file
	python=$(readlink -f /usr/bin/python3)
	stdlib=/usr/lib/$(basename "$python")
	ip=$(readlink -f "$(PATH=/sbin:/usr/sbin:/bin:/usr/bin command -v ip)")
	mkdir -p "$root"/{bin,sbin,usr/bin,proc,sys,dev,run/netns} "$root$stdlib"
	cp /bin/busybox "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
	ln -s "$(basename "$python")" "$root/usr/bin/python3"
	cp "$ip" "$root/sbin/ip"
	tar c -C "$stdlib" --exclude=__pycache__ --exclude='config-*' --exclude=test \
		--exclude=idlelib --exclude=lib2to3 --exclude=pydoc_data --exclude=distutils . |
		tar x -C "$root$stdlib"
	add_libraries "$root" "$python" "$ip" "$stdlib"/lib-dynload/*.so
	mkdir -p "$root$(dirname "$python")"
	cp -L "$python" "$root$python"
}

# add_libraries ROOT FILE...: what these need to run, under ROOT
add_libraries() {
	local root=$1 file
	shift
	ldd "$@" 2>/dev/null | grep -o '/[^ )]*' | grep -v ':$' | sort -u |
		while read -r file; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

# add_program ROOT NAME: a program and what it needs to run, in ROOT/sbin
add_program() {
	local program
	program=$(readlink -f "$(PATH=/sbin:/usr/sbin:/bin:/usr/bin command -v "$2")")
	cp "$program" "$1/sbin/$2"
	add_libraries "$1" "$program"
}

# guest_ended STATUS RESULTS: it came to its end, with STATUS of qemu-run
guest_ended() { [ "$1" = 0 ] && [ "$(tr -d '\r' <"$2" | tail -n 1)" = end ]; }

# guest_complaint CONSOLE: what its kernel complained of first; fails if of nothing
guest_complaint() {
	grep -a -E -m 1 \
		'BUG:|WARNING:|INFO: |Oops|Kernel panic|soft lockup|to become free|refcount_t:' "$1" |
		tr -d '\r'
}

# judge_guest NAME STATUS CONSOLE RESULTS [COMMAND]: repeats what a guest said and counts
# it in passed and failed; COMMAND takes the lines of other kinds. It must have come to
# its end, with STATUS of qemu-run, and its kernel must not have complained.
judge_guest() {
	local name=$1 status=$2 console=$3 results=$4 command=${5:-:} what rest line
	while read -r what rest; do
		case $what in
		pass) passed=$((passed + 1)); echo "pass $rest" ;;
		fail) failed=$((failed + 1)); echo "fail $rest" ;;
		note) echo "note $rest" ;;
		*) "$command" "$what" "$rest" ;;
		esac
	done < <(tr -d '\r' <"$results")
	if ! guest_ended "$status" "$results"; then
		tail -n 20 "$console"
		failed=$((failed + 1))
		echo "fail $name: the guest did not come to its end (QEMU: $status), see $console"
	fi
	if line=$(guest_complaint "$console"); then
		failed=$((failed + 1))
		echo "fail $name.console: $line"
	else
		passed=$((passed + 1))
		echo "pass $name.console"
	fi
}
