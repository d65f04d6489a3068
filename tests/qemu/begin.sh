# SPDX-License-Identifier: GPL-2.0
# How the first process of a guest with an initramfs begins; sourced by it. What it
# reports goes to ttyS1, a line each: "pass NAME", "fail NAME: why", "note TEXT"; the
# last is "end". The kernel parameter hostroute.name is the name of the guest.
/bin/busybox --install -s /bin
export PATH=/sbin:/usr/sbin:/usr/bin:/bin HOME=/ PYTHONPATH=/tests
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /run /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
exec 3>/dev/ttyS1 </dev/null >/dev/console 2>&1
stty -F /dev/ttyS1 raw

param() { sed -n "s/.*hostroute\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
guest=$(param name)
pass() { echo "pass $*" >&3; }
fail() { echo "fail $*" >&3; }
note() { echo "note $*" >&3; }

# load_modules: the kernel's own that belong to the guest, in order
load_modules() {
	local module
	for module in $(cat /modules/order); do
		insmod "/modules/$module" || fail "$guest.modules: $module"
	done
	# Tunnel devices that every new namespace would get, and no test uses.
	[ ! -e /proc/sys/net/core/fb_tunnels_only_for_init_net ] ||
		echo 2 >/proc/sys/net/core/fb_tunnels_only_for_init_net
}

load() { if insmod /modules/pmtu-hostroute.ko; then pass "$guest.insmod"; else fail "$guest.insmod"; fi; }
unload() {
	if rmmod pmtu_hostroute && ! grep -q '^pmtu_hostroute ' /proc/modules; then
		pass "$guest.rmmod"
	else
		fail "$guest.rmmod"
	fi
}

end() {
	echo end >&3
	sleep 1
	reboot -f
}
