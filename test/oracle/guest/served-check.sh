#!/bin/sh
# Guest script: looks at file systems that were cut off while served-write.sh wrote them.
#
#   /dev/vda, /files/disk       the disk, and the sums of the files that have to be there
#   /dev/vdb, /files/snapshot   a snapshot of it that is read-only, and the sums of its files
#   /dev/vdc                    room for what a replay of the journal changes on the snapshot
#
# Mounting replays the journal; nothing else may be wrong: e2fsck only looks, and has to find all sound.
# Exit status 0 only when all is there. Then it goes on writing to the disk, for the next who reads it.
. /lib/oracle.sh
set -e

# look DEVICE SUMS
look() {
  run mount -t ext4 "$1" /mnt
  (cd /mnt && sha256sum -c "$2") >/tmp/sums || { grep -v ': OK$' /tmp/sums; exit 1; }
  echo "$2: $(grep -c ': OK$' /tmp/sums) files as they were synced"
  run umount /mnt
  run e2fsck -fn "$1"
}

mkdir -p /mnt
[ "$(blockdev --getro /dev/vdb)" = 1 ] || { echo "the snapshot can be written"; exit 1; }
before=$(sum_device /dev/vdb)
dm over 0 "$(sectors /dev/vdb)" snapshot /dev/vdb /dev/vdc N 8
look /dev/mapper/over /files/snapshot
run dmsetup remove over
look /dev/vda /files/disk

run mount -t ext4 /dev/vda /mnt
rm -rf /mnt/d0
cp -r /mnt/d1 /mnt/copy
run fstrim /mnt
run umount /mnt
run e2fsck -fn /dev/vda
[ "$(sum_device /dev/vdb)" = "$before" ] || { echo "the snapshot has changed"; exit 1; }
echo "served check: done"
