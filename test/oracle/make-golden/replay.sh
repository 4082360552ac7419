#!/bin/sh
# Guest script: pools taken through fixed steps with known commits, for the rules
# that scripted.sh does not reach (which it explains, and whose functions these
# are). Each pool is made twice and the two compared; the exit status is 1 when
# they differ (then run it again).
#   POOLS   which to make (default: devices growth levels nopassdown)
#   ROUNDS  1: make each once only, and do not compare
# Disks: vda metadata (256 MiB), vdb data (8 GiB, sparse), vdc the images.
. /lib/oracle.sh
OUT=/dev/vdc
M=/dev/mapper/meta
K64=65536

put() { local id=$1; shift; run blockio write /dev/mapper/thin$id thin-$id $K64 512 "$@"; }
flush() { echo "+ flush thin$1"; dd if=/dev/null of=/dev/mapper/thin$1 conv=notrunc,fsync 2>/dev/null; }
write() {
  local id=$1
  shift
  for range in "$@"; do put $id $range; flush $id; done
}
discard() {
  put $1 $2; flush $1
  run blkdiscard -o $(($3 * K64)) -l $(($4 * K64)) /dev/mapper/thin$1; flush $1
}
snap() { run dmsetup suspend thin$2; msg pool create_snap $1 $2; run dmsetup resume thin$2; }
thin() { dm thin$1 0 209715200 thin /dev/mapper/pool $1; }
# A metadata device of the given number of blocks. Discarded blocks of the
# machine's disks read as zeroes.
meta() { blkdiscard /dev/vda; run dmsetup create meta --table "0 $(($1 * 8)) linear /dev/vda 0"; }
grow_meta() {
  run dmsetup suspend meta
  run dmsetup reload meta --table "0 $(($1 * 8)) linear /dev/vda 0"
  run dmsetup resume meta
}
table() { echo "0 $(($1 * 128)) thin-pool $M /dev/vdb 128 0 ${FEATURES:-1 skip_block_zeroing}"; }
pool() { dm pool $(table $1); }
# Makes the pool as long as the table says, and its metadata as long as the device is.
grow_pool() {
  run dmsetup suspend pool
  run dmsetup reload pool --table "$(table $1)"
  run dmsetup resume pool
}
close_thins() { for t in "$@"; do run dmsetup remove thin$t; done; }
end() { close_thins "$@"; run dmsetup remove pool; step z-closed; run dmsetup remove meta; }
step() {
  echo "$name/$1 $(sum_device $M)" >>/tmp/sums.$round
  [ $round = 2 ] || save "$name/$1" $M
}

# Hundreds of devices, made with rising and with falling ids, deleted in another
# order, while there is a metadata snapshot and while there is none.
# Deletes the FIRST-th to LAST-th of a permutation of 300 devices, but not those in use.
delete() {
  local i id
  for i in $(seq $1 $2); do
    id=$(((i * 37 + 11) % 300))
    case $id in 5 | 150 | 295) ;; *) msg pool delete $id ;; esac
  done
}
devices() {
  meta 1024; pool 1024
  for id in $(seq 150 299); do msg pool create_thin $id; done; step a-rising
  for id in $(seq 149 -1 0); do msg pool create_thin $id; done; step b-falling
  thin 5; thin 150; thin 295
  write 150 0; put 295 0; put 5 0; put 150 1; flush 5; step c-three-changed
  msg pool reserve_metadata_snap; step d-reserved
  delete 0 99; step e-deleted
  write 5 1; put 5 2-9; put 150 2-9; flush 150; step f-written
  msg pool release_metadata_snap; step g-released
  delete 100 249; step h-deleted-more
  snap 1000 150; snap 500 5; snap 2000 295; step i-snapshots
  close_thins 5 150 295; run dmsetup remove pool; pool 1024
  delete 250 290; thin 500; thin 1000
  write 1000 1; put 500 3; put 1000 100; flush 500; step j-reopened
  end 500 1000
}

# The metadata and the data device made longer several times, while live.
growth() {
  meta 512; pool 1024
  msg pool create_thin 0; msg pool create_thin 1; thin 0; thin 1
  write 1 0 1-50; write 0 0 shuffle:3:1-99; step a-small
  grow_meta 20480; grow_pool 1024; step b-metadata
  write 0 100 shuffle:4:101-199; grow_pool 20000; step c-data
  write 0 200 shuffle:5:201-260; grow_meta 36000; grow_pool 40000; step d-both
  write 0 300 301-330; discard 0 331 50 100; step e-used
  grow_meta 52000; grow_pool 40000; step f-metadata
  snap 2 1; thin 2; step g-snapshot
  write 1 10; write 2 10 11-20; write 0 400 401-420; discard 1 60 0 40; step h-used
  end 0 1 2
}

# Trees of three levels; collapse to an internal node. Large writes are fast, and as
# no new block is zeroed each maps its blocks at once and in order.
levels() {
  meta 1024; pool 70000
  msg pool create_thin 0; thin 0; write 0 0
  for first in $(seq 0 6 4127); do
    last=$((first + 5)); [ $last -le 4127 ] || last=4127
    run blockio write /dev/mapper/thin0 thin-0 1048576 1048576 $first-$last; flush 0
  done
  step a-filled
  snap 1 0; write 0 5 20000 40000 66000; step b-written
  for first in $(seq 2000 250 31750); do discard 0 $((66048 + first)) $first 250; done; step c-collapsing
  for first in $(seq 34000 250 65750); do discard 0 $((66048 + first)) $first 250; done; step d-collapsed
  msg pool delete 1; step e-deleted
  close_thins 0; run dmsetup remove pool; run dmsetup remove meta
}

# Discards without passdown.
nopassdown() {
  FEATURES="2 skip_block_zeroing no_discard_passdown"
  meta 1024; pool 4096
  msg pool create_thin 0; thin 0
  write 0 0
  for first in $(seq 1 60 900); do write 0 shuffle:7:$first-$((first + 59)); done; step a-filled
  discard 0 1000 100 50; discard 0 1001 10 3; step b-discarded
  snap 1 0; thin 1; discard 0 1002 200 200; step c-shared
  discard 1 1003 390 30; discard 1 1004 0 1024; step d-all
  discard 0 1005 600 350; step e-more
  end 0 1
  FEATURES=
}

for name in ${POOLS:-devices growth levels nopassdown}; do
  for round in ${ROUNDS:-1 2}; do
    [ $round = 1 ] && echo "@@begin $name" || echo "@@begin $name once more"
    $name
  done
done
echo "@@end"
[ "$ROUNDS" = 1 ] || diff /tmp/sums.1 /tmp/sums.2 && echo "both rounds gave the same bytes"
