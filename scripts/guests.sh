# SPDX-License-Identifier: GPL-2.0
# The guests of make check, sourced by scripts/check. For each one prepare_GUEST, which
# builds what it boots, and boot_GUEST NAME ONLY..., which boots it once; tests/README.md
# says what runs in which. Variables: out (build/check), scale.

# run_qemu NAME OPTION...: the console and the results are NAME.console and NAME.results
run_qemu() {
	local name=$1
	shift
	"$top/scripts/qemu-run" --console "$out/$name.console" \
		--results "$out/$name.results" "$@"
}

# built NAME DIR KDIR [ARGS]: builds the module; that is a test, too, and without it
# nothing else can be
built() {
	local name=$1 dir=$2 log=$2.log
	copy_sources "$dir"
	if build_module "$dir" "$3" "${@:4}" >"$log" 2>&1 && ! grep -E 'warning|error' "$log"; then
		pass "$name.build"
	else
		tail -n 10 "$log"
		fail "$name.build: see $log"
		exit 1
	fi
}

# ---- kunit, debug, soak: a kernel with KASAN, lockdep and kmemleak, this machine's root

prepare_debug() {
	[ -z "${debug_kdir:-}" ] || return 0
	say "test kernel"
	debug_kdir=$("$top/scripts/test-kernel")
	say "modules for the test kernel"
	built debug "$out/debug" "$debug_kdir"
}

# boot_debug NAME ONLY [GUEST [CPUS [BREAK [TIMEOUT]]]]
boot_debug() {
	local name=$1 only=$2 guest=${3:-debug} cpus=${4:-2} break=${5:-} timeout=${6:-4200}
	run_qemu "$name" --kernel "$debug_kdir/arch/x86/boot/bzImage" --smp "$cpus" --mem 1024 \
		--timeout "$timeout" --root-9p "$top/tests/qemu/debug-init" \
		--append "hostroute.name=$name hostroute.dir=$out/debug hostroute.src=$top hostroute.cpus=$cpus hostroute.guest=$guest hostroute.only=$only hostroute.break=$break slub_debug=A,hostroute"
}

prepare_kunit() { prepare_debug; }
prepare_soak() { prepare_debug; }

# Of the names kunit.SUITE. only the suites.
boot_kunit() {
	local suites=${2//kunit./}
	suites=${suites//./}
	boot_debug "$1" "$suites" kunit 2 '' 2400
}

# The name ends with the number of CPUs.
boot_soak() { boot_debug "$1" "$2" soak "${1#soak-}" '' 1200; }

# ---- debian, icount, pmtu: Debian's own kernel image, an initramfs

prepare_debian_kernel() {
	[ -z "${debian_ready:-}" ] || return 0
	debian_kernel "$out/download.log"
	debian_ready=yes
	built static "$out/debian" "$kdir"
}

# begin_debian_image GUEST: with the module, python3 and iproute2
begin_debian_image() {
	prepare_debian_kernel
	say "image of the guest $1"
	begin_image "$out/$1"
	cp "$out/debian/pmtu-hostroute.ko" "$root/modules/"
	add_python
}

# boot_debian_image IMAGE NAME TIMEOUT MEM APPEND OPTION...
boot_debian_image() {
	local built=$1 name=$2 timeout=$3 mem=$4 append=$5
	shift 5
	run_qemu "$name" --kernel "$image/boot/vmlinuz-$release" --initrd "$out/$built/initramfs.cpio" \
		--timeout "$timeout" --mem "$mem" "$@" --append "quiet hostroute.name=$name $append"
}

prepare_debian() {
	begin_debian_image debian
	add_kernel_modules veth af_packet tun vrf dummy nft_chain_nat nft_nat nft_ct nft_masq ip_gre \
		crc32c_generic sctp xfrm_user esp4 crypto_null authenc tls gcm ctr ghash_generic
	# Real programs, for test_programs.py and test_trace_tools.py
	debian_programs "$out/programs.log" nginx-light curl iperf3 openssh-server \
		openssh-client iputils-ping iputils-tracepath traceroute bind9-dnsutils nsd
	add_programs nft nginx curl iperf3 sshd ssh scp ssh-keygen ping tracepath \
		traceroute.db dig nsd perf trace-cmd bpftrace
	add_tests e2e
	# test_calls.py holds it against a trace.
	mkdir -p "$root/Documentation"
	cp "$top/Documentation/design.rst" "$root/Documentation/"
	end_image e2e-init
}

boot_debian() {
	boot_debian_image debian "$1" $((2700 + scale / 500)) 2560 \
		"hostroute.guest=debian hostroute.scale=$scale hostroute.only=$2" --smp 2
}

# Time there passes as fast as it can be emulated: routes may flap for 10 minutes.
prepare_icount() {
	local file
	begin_debian_image icount
	add_kernel_modules veth af_packet nf_tables nft_ct iptable_mangle xt_TCPMSS xt_tcpudp
	add_program nft
	add_program xtables-legacy-multi
	ln -s xtables-legacy-multi "$root/sbin/iptables-legacy"
	for file in /usr/lib/*/xtables/libxt_TCPMSS.so /usr/lib/*/xtables/libxt_tcp.so; do
		mkdir -p "$root${file%/*}"
		cp -L "$file" "$root$file"
	done
	add_tests e2e
	end_image e2e-init
}

boot_icount() {
	boot_debian_image icount "$1" 1500 1024 \
		"hostroute.guest=icount hostroute.scale=1 hostroute.only=$2" --icount --smp 1
}

# The kernel's own tools/testing/selftests/net/pmtu.sh. Where the module does otherwise
# on purpose, tests/qemu/pmtu-differences.sed says what a case must see, and why. With
# -icount: pmtu.sh gives a ping a second, which may not be enough in an emulated guest.
# prepare_pmtu [CASE|CASE...]: these cases only
prepare_pmtu() {
	local selftest differences
	begin_debian_image pmtu
	kernel_source
	selftest=$source/tools/testing/selftests/net
	mkdir -p "$root/selftest/with"
	quietly "$out/nettest.log" gcc -O2 -o "$root/selftest/nettest" "$selftest/nettest.c"
	add_kernel_modules ipv6 veth dummy bridge vxlan geneve ipip sit ip6_tunnel \
		fou fou6 ip_vti ip6_vti xfrm_user esp4 esp6 gcm ctr ghash_generic seqiv echainiv \
		sha512_generic drbg sch_prio cls_flower act_pedit act_csum
	debian_programs "$out/programs.log" iputils-ping socat iproute2
	add_programs ping socat tc dash
	cp "$top/tests/qemu/pmtu-ip" "$root/selftest/with/ip"
	cp "$selftest/pmtu.sh" "$root/selftest/pmtu-without.sh"
	sed -f "$top/tests/qemu/pmtu-differences.sed" "$selftest/pmtu.sh" >"$root/selftest/pmtu-with.sh"
	differences=$(diff "$root"/selftest/pmtu-with{out,}.sh | grep -c '^>' || true)
	[ "$differences" = 4 ] ||
		die "pmtu.sh is not as it was: $differences intended differences, not 4"
	"$top/scripts/tests" | sed -n 's/^pmtu pmtu\.//p' | grep -xE "${1:-.*}" >"$root/cases"
	end_image pmtu-init
}

boot_pmtu() { boot_debian_image pmtu "$1" 3600 1024 '' --icount --smp 1; }

# ---- wrap: a route expires on time across the wrap of the low 32 bits of jiffies, which
# Linux puts 5 minutes after boot. With -icount: the 5 minutes take seconds, and time in
# the guest is exact.

# busybox from Debian's i386 packages, for which this machine need not be set up:
# its own apt configuration, with another architecture and private lists.
busybox_i386() {
	busybox=$cache/busybox-i386/bin/busybox
	[ ! -e "$cache/busybox-i386/complete" ] || return 0
	say "busybox from Debian's i386 packages"
	local dir=$cache/busybox-i386 private
	rm -rf "$dir"
	mkdir -p "$dir"/apt/{lists,archives}/partial
	: >"$dir/apt/status"
	cat >"$dir/apt/conf" <<-END
		#clear APT::Architectures;
		APT::Architecture "i386";
		APT::Architectures { "i386"; };
		APT::Sandbox::User "root";
		Dir::State::status "$dir/apt/status";
		Dir::State::lists "$dir/apt/lists/";
		Dir::Cache "$dir/apt/";
	END
	private=(env APT_CONFIG="$dir/apt/conf" timeout 600)
	# A source without i386 may fail; whether it was needed, the download shows.
	"${private[@]}" apt-get update >"$out/apt-update.log" 2>&1 || true
	(cd "$dir" && quietly "$out/apt-download.log" "${private[@]}" apt-get download busybox-static)
	dpkg-deb -x "$dir"/busybox-static_*_i386.deb "$dir"
	rm -rf "$dir/apt"
	touch "$dir/complete"
}

prepare_wrap-i386() {
	local guest=wrap-i386-hz$1 i386_kdir
	busybox_i386
	i386_kdir=$("$top/scripts/test-kernel" "wrap-$1")
	built "$guest" "$out/$guest.source" "$i386_kdir" ARCH=i386
	begin_image "$out/$guest"
	cp "$busybox" "$root/bin/busybox"
	cp "$out/$guest.source/pmtu-hostroute.ko" "$root/modules/"
	end_image wrap-init
	cp "$i386_kdir/arch/x86/boot/bzImage" "$out/$guest/kernel"
}

prepare_wrap-i386-hz100() { prepare_wrap-i386 100; }
prepare_wrap-i386-hz1000() { prepare_wrap-i386 1000; }
prepare_wrap-x86_64-hz250() {
	local guest=wrap-x86_64-hz250
	prepare_debian_kernel
	begin_image "$out/$guest"
	cp "$out/debian/pmtu-hostroute.ko" "$root/modules/"
	add_kernel_modules veth
	end_image wrap-init
	cp "$image/boot/vmlinuz-$release" "$out/$guest/kernel"
}

boot_wrap() {
	run_qemu "$1" --kernel "$out/$1/kernel" --initrd "$out/$1/initramfs.cpio" --icount --smp 1 \
		--mem 256 --timeout "${TIMEOUT:-240}" \
		--append "quiet hostroute.name=$1 hostroute.hz=${1#*-hz}"
}
