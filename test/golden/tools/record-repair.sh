#!/bin/bash
# Records what version 1.1.0 makes of golden images with some blocks zeroed: `record-repair.sh TOOLS OUT`, run in test/golden.
# Of each XML, lines of mappings are kept as their checksum.
tools=$1
unpacked=$(mktemp -d)
record() { # IMAGE BLOCKS ARGUMENT...
  local image=$1 blocks=$2
  shift 2
  zcat "$image.bin.gz" >"$unpacked/image"
  for block in ${blocks//,/ }; do dd if=/dev/zero of="$unpacked/image" bs=4096 seek="$block" count=1 conv=notrunc status=none; done
  echo "$ repair $* $blocks $image"
  "$tools/thin_dump" --repair "$@" "$unpacked/image" 2>"$unpacked/stderr" >"$unpacked/stdout"
  grep -E '^ *</?(superblock|device|def)' "$unpacked/stdout"
  echo "# $(sha256sum <"$unpacked/stdout" | cut -c1-16)"
  sed 's/^/! /' "$unpacked/stderr"
}
{
  for blocks in 0 0,6 0,7 1 2 3 4 5 6 7 8,9,10,11,12; do
    record tools/gen $blocks --data-block-size 128
    record tools/gen $blocks
  done
  record tools/gen 0 --data-block-size 128 --nr-data-blocks 5 --transaction-id 3
  record tools/gen 0 --data-block-size 128 --nr-data-blocks 5000
  record tools/gen 0,6 --data-block-size 128 --transaction-id 9
  record tools/gen 13 --data-block-size 256 --nr-data-blocks 30000 --transaction-id 9
  record tools/gen 0 --data-block-size 100
  for blocks in 0 126 124 126,119 119,112,126,96 124,121; do
    record thin/multi-64k-clean $blocks --data-block-size 128
    record thin/multi-64k-clean 0,$blocks --data-block-size 128
  done
  for image in thin/metasnap thin/crash-live thin/deep thin/grown scripted/16-write-shuffled scripted/12-write scripted/19-delete; do
    [ -e $image.bin.gz ] && record $image 0 --data-block-size 128
  done
} >"$2"
rm -r "$unpacked"
