#!/bin/bash
# Records what version 1.1.0 of the tools says of golden images: `record.sh TOOLS OUT`, run in test/golden.
tools=$1
unpacked=$(mktemp -d)
record() { # TOOL IMAGE ARGUMENT...
  local tool=$1 image=$2
  shift 2
  zcat "$image.bin.gz" >"$unpacked/image"
  echo "$ $tool $* $image"
  "$tools/$tool" "$@" "$unpacked/image" 2>"$unpacked/stderr"
  echo
  sed 's/^/! /' "$unpacked/stderr"
}
{
  for fields in DEV,MAPPED,EXCLUSIVE,SHARED,HIGHEST_MAPPED TRANSACTION,CREATE_TIME,SNAP_TIME,MAPPED_SECTORS,MAPPED_BYTES,EXCLUSIVE_SECTORS,EXCLUSIVE_BYTES,SHARED_SECTORS,SHARED_BYTES,HIGHEST_SECTOR,HIGHEST_BYTE,HIGHEST_BLOCK; do
    for image in tools/t1 tools/gen tools/odd tools/units thin/multi-64k-clean thin/deep; do record thin_ls $image -o $fields; done
  done
  record thin_ls thin/metasnap -m
  record thin_ls thin/metasnap
  record thin_ls tools/t1 -m
  record thin_ls thin/multi-64k-clean --no-headers
  record thin_rmap tools/t1 --region 10..15 --region 20..31
  record thin_rmap tools/t1 --region 10..15 --region 12..20
  record thin_rmap tools/t1 --region 0..5
  record thin_rmap tools/odd --region 0..10000
  record thin_rmap tools/gen --region 990..1200
  record thin_rmap thin/multi-64k-clean --region 0..1000000
  record thin_rmap thin/deep --region 60000..70005
  record thin_rmap scripted/12-write --region 100..300
  for mode in "" --verbose; do
    record thin_delta tools/t1 --snap1 1 --snap2 3 $mode
    record thin_delta tools/t1 --root1 1 --thin2 3 $mode
    record thin_delta tools/t1 --root1 1 --root2 3 $mode
    record thin_delta tools/t1 --thin1 2 --thin2 2 $mode
    record thin_delta tools/odd --thin1 1 --thin2 1 $mode
    record thin_delta tools/odd --thin1 2 --thin2 1 $mode
    record thin_delta tools/odd --thin1 3 --thin2 1 $mode
    record thin_delta tools/gen --thin1 1 --thin2 2 $mode
    record thin_delta thin/multi-64k-clean --thin1 0 --thin2 10 $mode
    record thin_delta thin/multi-64k-clean --thin1 10 --thin2 11 $mode
    record thin_delta thin/deep --thin1 0 --thin2 2 $mode
    record thin_delta scripted/12-write --thin1 0 --thin2 5 $mode
    record thin_delta thin/metasnap -m --thin1 0 --thin2 1 $mode
  done
  record thin_delta tools/t1 --thin1 9 --thin2 1
  record thin_delta tools/t1 --thin1 1 --thin2 9
} >"$2"
rm -r "$unpacked"
