#!/bin/bash
# Runs a shell script, as root, on a real Linux kernel that has device-mapper
# (thin, cache, era, snapshot, flakey, log-writes), inside a small virtual
# machine, and hands back what the script printed and its exit status.
#
#   kernel-oracle.sh [-f FILE]... [-e NAME=VALUE]... SCRIPT [DISK.img ...]
#
#   SCRIPT        a shell script (busybox sh); its output becomes ours, its
#                 exit status becomes ours
#   DISK.img      raw images; the guest sees them as /dev/vda, /dev/vdb, ...
#                 and writes to them directly. Or the URI of an NBD export,
#                 nbd+unix:///NAME?socket=PATH, which more options of qemu's
#                 -drive can follow (",readonly=on"); the guest's flushes reach
#                 the server
#   -f FILE       also put FILE into the guest, as /files/<its base name>
#   -e NAME=VALUE set an environment variable for SCRIPT
#
# Needs: Debian on x86-64, its package archive (first run only), and qemu, cpio,
# lz4 and xz-utils (`npm run peers` installs them). All that goes into the guest
# is taken out of downloaded packages; nothing is installed.
#
# Environment:
#   ORACLE_CACHE    where kernel and initramfs are kept (default: a folder in
#                   $TMPDIR or /tmp)
#   ORACLE_KERNEL   kernel package (default linux-image-cloud-amd64; the full
#                   linux-image-amd64 works too), or the path of a .deb
#   ORACLE_ACCEL    qemu accelerator: tcg (default) or kvm
#   ORACLE_MEM      guest memory in MiB (default 512)
#   ORACLE_TIMEOUT  seconds before the guest is given up (default 600)
#   ORACLE_LOG      keep the kernel's own console messages in this file
#   ORACLE_PIDFILE  where to write the id of qemu's process: SIGKILL to it is the
#                   guest's power cut
#
# Exit status: that of SCRIPT; 124 when the guest ran out of time; 125 when it
# died, or could not be started, before SCRIPT ended.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${ORACLE_CACHE:-${TMPDIR:-/tmp}/kernel-oracle-cache}
kernel=${ORACLE_KERNEL:-linux-image-cloud-amd64}

die() { echo "kernel-oracle: $*" >&2; exit 125; }
usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 64; }

# ---------------------------------------------------------------- arguments
files=() vars=()
while getopts f:e:h opt; do
  case $opt in
    f) files+=("$OPTARG") ;;
    e) vars+=("$OPTARG") ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
script=$1
shift
[ -r "$script" ] || die "cannot read $script"

# ------------------------------------------------------- kernel + initramfs

# Modules for the guest; those that are built in are skipped. The guest loads
# them as they are needed.
modules="crc32c_generic libcrc32c
  virtio virtio_ring virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk
  dm-mod dm-bufio dm-persistent-data dm-bio-prison
  dm-thin-pool dm-cache dm-cache-smq dm-era
  dm-snapshot dm-flakey dm-log-writes dm-delay
  crc16 mbcache jbd2 ext4"

# Packages that are unpacked (not installed) for the guest's user land.
guest_packages="busybox-static dmsetup libdevmapper1.02.1 libselinux1 libudev1
  libpcre2-8-0 libc6 libcrypt1 perl-base
  e2fsprogs libext2fs2 libcom-err2 libblkid1 libuuid1"

apt_quiet() { apt-get -qq -o APT::Sandbox::User=root "$@" >&2; }

host_tools() {
  local need=()
  command -v qemu-system-x86_64 >/dev/null || need+=(qemu-system-x86)
  command -v cpio >/dev/null || need+=(cpio)
  command -v lz4 >/dev/null || need+=(lz4)
  command -v xz >/dev/null || need+=(xz-utils)
  [ ${#need[@]} -eq 0 ] || die "not installed: ${need[*]}; \`npm run peers\` installs them"
}

# The compressed ELF kernel inside a bzImage. Booting that ELF directly (PVH)
# spares the guest the BIOS and the decompression, which are slow under TCG.
extract_vmlinux() {
  local setup offset length
  setup=$(od -An -tu1 -j 497 -N 1 "$1")
  offset=$(od -An -tu4 -j 584 -N 4 "$1")
  length=$(od -An -tu4 -j 588 -N 4 "$1")
  dd if="$1" of="$2.packed" bs=1M iflag=skip_bytes,count_bytes status=none \
    skip=$(((setup + 1) * 512 + offset)) count="$length"
  # A length word follows the compressed stream, so the tools may complain.
  case $(od -An -tx1 -N 4 "$2.packed" | tr -d ' ') in
    02214c18) lz4 -dc "$2.packed" ;;
    fd377a58) xz -dc --single-stream "$2.packed" ;;
    1f8b*) gzip -dc "$2.packed" ;;
    28b52ffd) zstd -dc "$2.packed" ;;
    *) die "unknown kernel compression" ;;
  esac >"$2" 2>/dev/null || true
  rm "$2.packed"
  [ "$(head -c 4 "$2" | tail -c 3)" = ELF ] || die "no kernel found in $1"
}

# Builds $cache/KEY/{vmlinux,initramfs.cpio}.
build() {
  local out=$1 tmp=$1.tmp deb name root file release
  host_tools
  rm -rf "$tmp"
  mkdir -p "$tmp/debs" "$tmp/unpacked" "$tmp/kernel" "$tmp/root"
  (
    cd "$tmp/debs"
    apt-cache show busybox-static >/dev/null 2>&1 || apt_quiet update
    apt_quiet download $guest_packages
    if [ ! -f "$kernel" ]; then
      # A meta package only depends on the real one.
      name=$(apt-cache depends "$kernel" | awk '/Depends: linux-image/ { print $2; exit }')
      mkdir kernel && cd kernel && apt_quiet download "${name:-$kernel}"
    fi
  )
  for deb in "$tmp"/debs/*.deb; do dpkg-deb -x "$deb" "$tmp/unpacked"; done
  if [ -f "$kernel" ]; then deb=$kernel; else deb=$(echo "$tmp"/debs/kernel/*.deb); fi
  dpkg-deb -x "$deb" "$tmp/kernel"
  extract_vmlinux "$(echo "$tmp"/kernel/boot/vmlinuz-*)" "$tmp/vmlinux"

  root=$tmp/root
  mkdir -p "$root"/{bin,dev,proc,sys,tmp,files,etc/perl,lib64,lib/x86_64-linux-gnu}
  ln -s bin "$root/sbin"
  find "$tmp/unpacked" -type f -regex ".*/s?bin/\(busybox\|dmsetup\|perl\|mke2fs\|e2fsck\)" -exec cp {} "$root/bin/" \;
  for file in libc.so.6 libm.so.6 libcrypt.so.1 libdevmapper.so.1.02.1 libselinux.so.1 \
      libudev.so.1 libpcre2-8.so.0 libext2fs.so.2 libe2p.so.2 libcom_err.so.2 libblkid.so.1 \
      libuuid.so.1; do
    name=$(find "$tmp/unpacked" -name "$file" ! -type d -print -quit)
    [ -n "$name" ] || die "$file is not in the downloaded packages"
    cp -L "$name" "$root/lib/x86_64-linux-gnu/$file"
  done
  cp "$(find "$tmp/unpacked" -path '*x86_64-linux-gnu/ld-linux-x86-64.so.2' -type f)" "$root/lib64/"
  file=$(find "$tmp/unpacked" -path "*/perl-base/strict.pm")
  cp "$file" "$root/etc/perl/"
  release=$(basename "$tmp"/kernel/lib/modules/*)
  mkdir -p "$root/lib/modules/$release"
  for name in $modules; do
    file=$(find "$tmp/kernel" -name "$name.ko*" -print -quit)
    case $file in
      "") ;;
      *.xz) xz -dc "$file" >"$root/lib/modules/$release/$name.ko" ;;
      *) cp "$file" "$root/lib/modules/$release/" ;;
    esac
  done
  "$root/bin/busybox" depmod -b "$root" "$release"
  cp "$here/guest/init" "$root/init"
  cp "$here/guest/blockio" "$root/bin/blockio"
  cp "$here/guest/lib.sh" "$root/lib/oracle.sh"
  chmod 755 "$root/init" "$root/bin/blockio"
  "$root/bin/busybox" --list | while read -r name; do
    [ -e "$root/bin/$name" ] || ln -s busybox "$root/bin/$name"
  done
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$tmp/initramfs.cpio"
  (cd "$tmp/debs" && find . -name '*.deb' | sed 's|.*/||' | sort) >"$tmp/packages.txt"
  rm -rf "$tmp/debs" "$tmp/unpacked" "$tmp/kernel" "$root"
  rm -rf "$out"
  mv "$tmp" "$out"
}

mkdir -p "$cache"
key=$(cat "$here/kernel-oracle.sh" "$here"/guest/{init,blockio,lib.sh} <(echo "$kernel") | sha256sum | cut -c 1-16)
built=$cache/$key
if [ ! -f "$built/initramfs.cpio" ]; then
  # Two first runs at once must not build over each other.
  exec 9>"$cache/lock"
  flock 9
  [ -f "$built/initramfs.cpio" ] || build "$built"
  flock -u 9
  exec 9>&-
fi
command -v qemu-system-x86_64 >/dev/null || host_tools

# ------------------------------------------------------------- one guest run
work=$(mktemp -d "$cache/run.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The script and its files ride in a second cpio archive behind the first.
mkdir -p "$work/extra/files"
cp "$script" "$work/extra/script"
for file in "${files[@]}"; do cp -L "$file" "$work/extra/files/"; done
for var in "${vars[@]}"; do
  printf 'export %s=%q\n' "${var%%=*}" "${var#*=}"
done >"$work/extra/env"
cp "$built/initramfs.cpio" "$work/initramfs"
(cd "$work/extra" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0) >>"$work/initramfs"

drives=()
for disk in "$@"; do
  # Images outlive qemu in the page cache. Exports have the default, writeback: flushes go to the server.
  case $disk in
    nbd*:*) how="file=$disk" ;;
    *)
      [ -f "$disk" ] || die "no disk image $disk"
      how="cache=unsafe,aio=threads,file=$(realpath "$disk" | sed 's/,/,,/g')" ;;
  esac
  drives+=(-drive "format=raw,if=none,id=d${#drives[@]},discard=unmap,$how"
    -device "virtio-blk-pci,drive=d${#drives[@]}")
done

accel=${ORACLE_ACCEL:-tcg}
[ "$accel" = tcg ] && accel=tcg,thread=multi

log=${ORACLE_LOG:-$work/console}
status=0
# First serial port: the kernel's messages, into a file. Second: the script's
# output, between two markers that sed takes off again.
timeout --foreground "${ORACLE_TIMEOUT:-600}" qemu-system-x86_64 \
  -M q35 -accel "$accel" -cpu max -smp 1 -m "${ORACLE_MEM:-512}" \
  -nodefaults -no-user-config -no-reboot -display none -monitor none \
  -serial "file:$log" -serial stdio ${ORACLE_PIDFILE:+-pidfile "$ORACLE_PIDFILE"} \
  -kernel "$built/vmlinux" -initrd "$work/initramfs" \
  -append "console=ttyS0 quiet loglevel=5 panic=-1 nokaslr mitigations=off tsc=reliable random.trust_cpu=on rdinit=/init cryptomgr.notests ipv6.disable=1 ima_appraise=off apparmor=0 audit=0" \
  "${drives[@]}" </dev/null |
  sed -un -e '0,/^ORACLE-BEGIN$/d' \
    -e '/ORACLE-EXIT [0-9]*$/{h;s/.* //;w '"$work/status" \
    -e 'g;s/ORACLE-EXIT .*//;/./p;d}' -e p || status=$?

if [ -s "$work/status" ]; then exit "$(cat "$work/status")"; fi
echo "kernel-oracle: the guest ended before the script did; last kernel messages:" >&2
tail -n 30 "$log" >&2 || true
[ "$status" = 124 ] && exit 124
exit 125
