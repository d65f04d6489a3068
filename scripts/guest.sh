# SPDX-License-Identifier: GPL-2.0
# Guests, sourced by bash after common.sh: what is in an initramfs, how a guest is
# booted, and what its console and its results say.

# ---- an initramfs -----------------------------------------------------------------

# begin_image DIR: an empty one with busybox. Sets root, which the others fill.
begin_image() {
	image_dir=$1 root=$1/root
	rm -rf "$root"
	mkdir -p "$root"/{bin,sbin,usr/bin,proc,sys,dev,run/netns,modules}
	: >"$root/modules/order"
	cp /bin/busybox "$root/bin/busybox"
	ln -s busybox "$root/bin/sh"
}

# end_image INIT: with this first process; DIR/initramfs.cpio
end_image() {
	cp "$top/tests/qemu/$1" "$root/init"
	cp "$top/tests/qemu/begin.sh" "$root/"
	chmod +x "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$image_dir/initramfs.cpio"
	rm -rf "$root"
}

# add_kernel_modules MODULE...: from Debian's kernel image, and what they need;
# modules/order has their names, in the order in which to load them
add_kernel_modules() {
	local module file
	for module in "$@"; do
		modprobe -d "$image" -S "$release" --show-depends "$module" 2>/dev/null |
			sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r file; do
		cp "$file" "$root/modules/"
		basename "$file" >>"$root/modules/order"
	done
}

# add_libraries FILE...: what these need to run
add_libraries() {
	local file
	ldd "$@" 2>/dev/null | grep -o '/[^ )]*' | grep -v ':$' | sort -u |
		while read -r file; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

# add_program NAME: a program of this machine, in /sbin
add_program() {
	local program
	program=$(readlink -f "$(PATH=/sbin:/usr/sbin:/bin:/usr/bin command -v "$1")")
	cp "$program" "$root/sbin/$1"
	add_libraries "$program"
}

# add_python: python3 with its library, and iproute2
add_python() {
	local python stdlib ip
	python=$(readlink -f /usr/bin/python3)
	stdlib=/usr/lib/$(basename "$python")
	ip=$(readlink -f "$(PATH=/sbin:/usr/sbin:/bin:/usr/bin command -v ip)")
	mkdir -p "$root$stdlib" "$root$(dirname "$python")"
	cp -L "$python" "$root$python"
	[ -e "$root/usr/bin/python3" ] || ln -s "$(basename "$python")" "$root/usr/bin/python3"
	ln -s ../usr/bin/python3 "$root/sbin/python3"
	cp "$ip" "$root/sbin/ip"
	tar c -C "$stdlib" --exclude=__pycache__ --exclude='config-*' --exclude=test \
		--exclude=idlelib --exclude=lib2to3 --exclude=pydoc_data --exclude=distutils . |
		tar x -C "$root$stdlib"
	add_libraries "$python" "$ip" "$stdlib"/lib-dynload/*.so
}

# add_tests FOLDER...: these folders of tests/, and the lab
add_tests() {
	local folder
	for folder in lab "$@"; do
		mkdir -p "$root/tests/$folder"
		(cd "$top/tests/$folder" && find . -name '*.py' | cpio -p -d --quiet "$root/tests/$folder")
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

# add_programs PROGRAM...: programs of those packages, or else of this machine, and
# their libraries, where they belong
add_programs() {
	local name file found list
	local libs=$programs/root/usr/lib/x86_64-linux-gnu:$programs/root/lib/x86_64-linux-gnu
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

# ---- what a guest said -------------------------------------------------------------

# What a kernel writes when it has something to complain about.
complaints='BUG:|WARNING:|INFO: |Oops|Kernel panic|soft lockup|waiting for .* to become free'
complaints+='|refcount_t:|UBSAN:|KASAN:|possible .* detected'

# guest_ended STATUS RESULTS: it came to its end, with STATUS of qemu-run
guest_ended() { [ "$1" = 0 ] && [ "$(tr -d '\r' <"$2" | tail -n 1)" = end ]; }

# guest_complaint CONSOLE: what its kernel complained of first; fails if of nothing
guest_complaint() { grep -a -E -m 1 "$complaints" "$1" | tr -d '\r'; }

# show_console CONSOLE: the first complaint and what follows, or the last lines
show_console() {
	grep -a -E -m 1 -B 3 -A 40 "$complaints" "$1" 2>/dev/null || tail -n 20 "$1" 2>/dev/null || true
}

# judge NAME STATUS CONSOLE RESULTS [EXPECTED]: repeats what a guest reported, by way of
# pass and fail of the caller. It must have come to its end, with STATUS of qemu-run; its
# kernel must not have complained; and each name in the file EXPECTED needs a verdict.
judge() {
	local name=$1 status=$2 console=$3 results=$4 expected=${5:-/dev/null} what rest line
	while read -r what rest; do
		case $what in
		pass) pass "$rest" ;;
		fail) fail "$rest" ;;
		skip|note) echo "$what $rest" ;;
		esac
	done < <(tr -d '\r' <"$results")
	line=$(tr -d '\r' <"$results" | sed -n -E 's/^(pass|fail|skip) ([^: ]*).*/\2/p' |
		sort -u | comm -13 - <(sort -u "$expected"))
	[ -z "$line" ] ||
		fail "$name.missing: no verdict on $(wc -l <<<"$line") tests, such as $(head -n 1 <<<"$line")"
	if guest_ended "$status" "$results"; then
		pass "$name.end"
	else
		show_console "$console"
		fail "$name.end: the guest did not come to its end (QEMU: $status), see $console"
	fi
	if line=$(guest_complaint "$console"); then
		show_console "$console"
		fail "$name.console: $line"
	else
		pass "$name.console"
	fi
}
