#!/usr/bin/env bash
# Installs the programs that tests compare us with (test/peers.ts), from Debian's packages. Needs root.
set -euo pipefail

packages=(
  thin-provisioning-tools
  qemu-utils
  qemu-system-x86
  libnbd-bin
  nbdkit
  fio
  cpio
  lz4
  openssl
  xz-utils
)

if ! command -v apt-get >/dev/null; then
  echo "peers: no apt-get here; install by hand: ${packages[*]}" >&2
  exit 1
fi

wanted=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  if [ "$state" != 'install ok installed' ]; then wanted+=("$package"); fi
done
if [ ${#wanted[@]} -eq 0 ]; then
  echo 'peers: all are installed'
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "peers: installing packages needs root; run: sudo npm run peers (missing: ${wanted[*]})" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${wanted[@]}"
