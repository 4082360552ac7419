#!/bin/bash
# Makes the records of version 1.1.0 beside golden images: records-1.1.sh FOLDER...
# For each image NAME.bin.gz in a folder: NAME.check-1.1.txt, NAME.ls-1.1.txt (thin
# only) and NAME.dump-1.1.xml.gz, or NAME.dump-1.1.txt with the error. Below
# golden/replay only dumps are kept: thin_check accepts all of these images.
# Needs bench/tools/get-rust-tools.sh to have run.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)/.cache/rust-tools/bin
[ -x "$tools/thin_check" ] || { echo 'records: run bench/tools/get-rust-tools.sh first' >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
columns=DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS,HIGHEST_BLOCK,CREATE_TIME,SNAP_TIME,TRANSACTION
for folder in "$@"; do
  case $folder in
    *cache*) tool=cache ;;
    *era*) tool=era ;;
    *) tool=thin ;;
  esac
  for image in "$folder"/*.bin.gz; do
    base=${image%.bin.gz} name=$(basename "$image" .bin.gz)
    case $name in log-*-after) ;; log-*) continue ;; esac
    gzip -dc "$image" >"$work/$name.bin"
    if "$tools/${tool}_dump" "$work/$name.bin" >"$work/xml" 2>"$work/err"; then
      gzip -9nc "$work/xml" >"$base.dump-1.1.xml.gz"
    else
      cp "$work/err" "$base.dump-1.1.txt"
    fi
    if [[ $folder != *replay* ]]; then
      {
        echo "\$ ${tool}_check $name.bin"
        "$tools/${tool}_check" "$work/$name.bin" 2>&1 && echo "exit status 0" || echo "exit status $?"
      } >"$base.check-1.1.txt"
      [ $tool != thin ] || "$tools/thin_ls" -o $columns "$work/$name.bin" >"$base.ls-1.1.txt"
    else
      "$tools/thin_check" -q "$work/$name.bin"
    fi
    rm "$work/$name.bin"
  done
done
