#!/bin/bash
# Makes the golden images: make.sh OUTDIR [thin|scripted|replay|cache|era ...]
# For each image NAME: NAME.bin.gz (the metadata device), NAME.txt (what was
# done, with the kernel's status lines), NAME.check.txt and NAME.xml (what the
# user-land check and dump tools say of it; needs thin-provisioning-tools).
# log-NAME.bin.gz is no metadata but a dm-log-writes log; log-NAME.list.txt tells
# what is in it. For `replay` a folder for each pool: its images and transcript.txt,
# all commands with the place of each image.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$1
shift
[ $# -gt 0 ] || set -- thin scripted replay cache era
command -v thin_check >/dev/null || { echo 'make: no thin_check; `npm run peers` installs it' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Takes the images of `replay` off the disk $2, and the transcript of each pool's
# first round out of the console's output; both into folders below $1.
save_pools() {
  awk -v dir="$1" '
    /^@@begin / { file = $3 ? "/dev/null" : dir "/" $2 "/transcript.txt"; system("mkdir -p " dir "/" $2); next }
    /^@@end/ { exit }
    file { print >file }' "$1/console.txt"
  grep '^@@save ' "$1/console.txt" | while read -r _ name slot size; do
    dd if="$2" bs=512 skip="$slot" count="$size" status=none | gzip -9n >"$1/$name.bin.gz"
  done
  sed -i 's|^@@save [^/]*/\([^ ]*\) .*|@@save \1|' "$1"/*/transcript.txt
}

for family in "$@"; do
  case $family in
    thin) sizes="8M 8G 64M" tool=thin ;;
    scripted) sizes="4M 64M" tool=thin ;;
    replay) sizes="256M 16G" tool=thin ;;
    cache) sizes="4M 32M 256M" tool=cache ;;
    era) sizes="4M 1G" tool=era ;;
  esac
  disks=()
  for size in $sizes 2G; do
    disks+=("$work/$family-${#disks[@]}.img")
    truncate -s "$size" "${disks[-1]}"
  done
  mkdir -p "$out/$family"
  ORACLE_TIMEOUT=${ORACLE_TIMEOUT:-3000} "$here/../kernel-oracle.sh" "$here/$family.sh" "${disks[@]}" >"$out/$family/console.txt" ||
    { tail "$out/$family/console.txt" >&2; exit 1; }

  if [ "$family" = replay ]; then
    save_pools "$out/replay" "${disks[-1]}"
    continue
  fi

  # An image's record: all lines from the start of its pool up to its copy.
  awk -v dir="$out/$family" '
    /^@@begin / { text = "" }
    /^@@save / { printf "%s", text > (dir "/" $2 ".txt"); close(dir "/" $2 ".txt"); next }
    { text = text $0 "\n" }' "$out/$family/console.txt"
  grep '^@@save ' "$out/$family/console.txt" | while read -r _ name slot size; do
    image=$out/$family/$name
    dd if="${disks[-1]}" of="$image.bin" bs=512 skip="$slot" count="$size" status=none
    if [[ $name == log-* && $name != *-after ]]; then
      npx tsx "$here/list-write-log.ts" "$image.bin" >"$image.list.txt"
      gzip -9nf "$image.bin"
      continue
    fi
    {
      echo "\$ ${tool}_check $name.bin"
      "${tool}_check" "$image.bin" 2>&1 && echo "exit status 0" || echo "exit status $?"
    } | sed "s|$image|$name|g" >"$image.check.txt"
    "${tool}_dump" "$image.bin" >"$image.xml" 2>"$work/err" || true
    cat "$work/err" >>"$image.check.txt"
    # A second dump: of the metadata snapshot, where there is one; for era, with
    # the writesets folded into the array.
    case $tool in
      thin) option=--metadata-snap ;;
      era) option=--logical ;;
      *) option= ;;
    esac
    if [ -n "$option" ] && "${tool}_dump" $option "$image.bin" >"$work/xml" 2>"$work/err" && [ -s "$work/xml" ]; then
      cp "$work/xml" "$image.${option#--}.xml"
    fi
    gzip -9nf "$image.bin"
    # Big dumps are kept compressed.
    find "$out/$family" -name '*.xml' -size +64k -exec gzip -9nf {} +
  done
done
