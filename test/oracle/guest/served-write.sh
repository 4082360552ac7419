#!/bin/sh
# Guest script: makes a file system on a disk and writes files until it is killed.
#
#   DISK      the disk                     (default /dev/vda)
#   SEED      goes into the files' content
#   FLUSHES   no: the kernel believes that the disk has no cache, and never flushes it
#
# Prints "synced NAME SIZE" for each file once its fsync has succeeded: from then on it has to survive. File NAME holds
# the line "file NAME of seed SEED" over and over, SIZE bytes of it. Between them are files that nobody syncs; they go
# again after a while, so that the disk gets discards too.
. /lib/oracle.sh
set -e
DISK=${DISK:-/dev/vda}

# write NAME SIZE [OPTION of dd]...
write() {
  local name=$1 size=$2
  shift 2
  yes "file $name of seed $SEED" | head -c "$size" | dd of="/mnt/$name" bs=16k "$@" 2>/dev/null
}

mkdir -p /mnt
# In the kernel's mind only: told to the disk itself, it would flush after each write.
[ "${FLUSHES:-yes}" = yes ] || echo "write through" >"/sys/block/${DISK#/dev/}/queue/write_cache"
# Inode tables now and not later: what the guest does is then the same each time. By its path: busybox has one of its own.
run /bin/mke2fs -q -t ext4 -b 4096 -J size=4 -E lazy_itable_init=0,lazy_journal_init=0 "$DISK"
run mount -t ext4 -o discard "$DISK" /mnt
i=0
while :; do
  i=$((i + 1))
  size=$(((i * 7919 + SEED * 104729) % 200000 + 1))
  mkdir -p "/mnt/d$((i % 5))"
  write "d$((i % 5))/loose-$i" "$size"
  [ $i -le 8 ] || rm -f "/mnt/d$(((i - 8) % 5))/loose-$((i - 8))"
  write "d$((i % 5))/synced-$i" "$size" conv=fsync
  echo "synced d$((i % 5))/synced-$i $size"
done
