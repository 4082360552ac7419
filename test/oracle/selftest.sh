#!/bin/bash
# Proves the direction we need for our own images: metadata written by somebody
# else (here the user-land restore tools, from XML of ours) is opened by the
# kernel, read, written, taken down, and passes the user-land check.
#   selftest.sh [thin|cache|era ...]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -gt 0 ] || set -- thin cache era
command -v thin_restore >/dev/null || { echo 'selftest: no thin_restore; `npm run peers` installs it' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# A device image whose 64 KiB block n says so in every line.
fill() { perl -e 'my ($t, $n) = @ARGV; for (0 .. $n - 1) { my $l = sprintf "%s block %8d\n", $t, $_; print substr($l x (1 + 65536 / length $l), 0, 65536) }' "$@"; }
# The same, but block by block from a list "FILE:BLOCK" or "-" for zeroes.
compose() { perl -e 'for (@ARGV) { my ($f, $b) = split /:/; my $d = "\0" x 65536; if ($f ne "-") { open my $h, "<", $f or die; seek $h, $b * 65536, 0; read $h, $d, 65536 } print $d }' "$@"; }
sha() { sha256sum | cut -d ' ' -f 1; }
want() {
  grep -qx "$2" out || { echo "$1: not in the guest's report: $2"; cat out; exit 1; }
  echo "ok: $1: $2"
}

selftest_thin() {
  cat >in.xml <<'XML'
<superblock uuid="" time="1" transaction="2" version="2" data_block_size="128" nr_data_blocks="512">
  <device dev_id="1" mapped_blocks="12" transaction="0" creation_time="0" snap_time="1">
    <range_mapping origin_begin="0" data_begin="100" length="10" time="0"/>
    <single_mapping origin_block="20" data_block="7" time="1"/>
    <single_mapping origin_block="31" data_block="5" time="0"/>
  </device>
  <device dev_id="9" mapped_blocks="4" transaction="1" creation_time="1" snap_time="1">
    <range_mapping origin_begin="0" data_begin="100" length="3" time="0"/>
    <single_mapping origin_block="3" data_block="300" time="1"/>
  </device>
</superblock>
XML
  truncate -s 4M meta.img
  thin_restore -i in.xml -o meta.img >/dev/null
  fill data 512 >data.img
  one=$(compose data.img:{100..109} -{,,,,,,,,,} data.img:7 -{,,,,,,,,,} data.img:5 | sha)
  nine=$(compose data.img:{100..102} data.img:300 -{,,,}{,,,,,,} | sha)
  "$here/kernel-oracle.sh" -e DEVS="1:4096 9:4096" -e WRITES="1:0-3 1:15 9:1 9:25-30" \
    -e DISCARDS="1:20:2" -e AFTER=$'create_snap 10 9\ndelete 1\nset_transaction_id 2 3' \
    "$here/guest/thin-roundtrip.sh" meta.img data.img >out || { cat out; exit 1; }
  want thin "sum before 1 $one"
  want thin "sum before 9 $nine"
  want thin "thin round trip: done"
  thin_check meta.img >/dev/null && echo "ok: thin: thin_check"
  thin_dump meta.img | sed 's/^/    /'
}

selftest_cache() {
  for version in 1 2; do
    cat >in.xml <<'XML'
<superblock uuid="" block_size="128" nr_cache_blocks="64" policy="smq" hint_width="4">
  <mappings>
    <mapping cache_block="0" origin_block="5" dirty="true"/>
    <mapping cache_block="1" origin_block="200" dirty="false"/>
    <mapping cache_block="9" origin_block="17" dirty="true"/>
  </mappings>
  <hints>
    <hint cache_block="0" data="AAAAAA=="/>
    <hint cache_block="1" data="AQAAAA=="/>
    <hint cache_block="9" data="AgAAAA=="/>
  </hints>
</superblock>
XML
    rm -f meta.img; truncate -s 4M meta.img
    cache_restore -i in.xml -o meta.img --metadata-version $version >/dev/null
    fill fast 64 >fast.img
    fill slow 256 >slow.img
    # Block 200 is clean in the cache, so both copies must be the same.
    dd if=slow.img of=fast.img bs=64k skip=200 seek=1 count=1 conv=notrunc status=none
    before=$(compose slow.img:{0..4} fast.img:0 slow.img:{6..16} fast.img:9 slow.img:{18..199} fast.img:1 slow.img:{201..255} | sha)
    "$here/kernel-oracle.sh" -e FEATURES="$([ $version = 1 ] && echo writeback || echo metadata2 writeback)" \
      -e WRITES="17 30-33" -e CLEAN=1 "$here/guest/cache-roundtrip.sh" meta.img fast.img slow.img >out || { cat out; exit 1; }
    want "cache v$version" "sum before $before"
    want "cache v$version" "cache round trip: done"
    # Now that all is written back, the slow device alone must say the same.
    want "cache v$version" "sum after $(sha <slow.img)"
    cache_check meta.img >/dev/null 2>&1 && echo "ok: cache v$version: cache_check"
    grep -A1 'dmsetup status' out | sed 's/^/    /'
  done
}

selftest_era() {
  {
    echo '<superblock uuid="" block_size="128" nr_blocks="16" current_era="4">'
    echo '<writeset era="3" nr_bits="16">'
    for i in {0..15}; do echo "<bit block=\"$i\" value=\"$([ $i = 6 ] && echo true || echo false)\"/>"; done
    echo '</writeset><era_array>'
    for i in {0..15}; do echo "<era block=\"$i\" era=\"$((i % 3))\"/>"; done
    echo '</era_array></superblock>'
  } >in.xml
  rm -f meta.img; truncate -s 4M meta.img
  era_restore -i in.xml -o meta.img >/dev/null
  fill origin 16 >origin.img
  before=$(compose origin.img:{0..15} | sha)
  "$here/kernel-oracle.sh" -e STEPS="write:0-1 checkpoint write:1-2 snap drop write:15 reopen" \
    "$here/guest/era-roundtrip.sh" meta.img origin.img >out || { cat out; exit 1; }
  want era "sum before $before"
  want era "era round trip: done"
  era_check meta.img >/dev/null && echo "ok: era: era_check"
  era_dump meta.img | tr -d '\n' | sed 's/^/    /;s/   */ /g'
  echo
}

for family in "$@"; do "selftest_$family"; done
