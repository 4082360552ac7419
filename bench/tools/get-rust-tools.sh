#!/bin/bash
# Gets version 1.1.0 (Rust) of thin-provisioning-tools, which is Debian 13's, on any Debian: unpacks it and the
# libraries that it needs into a private root and makes wrappers that run it through that root's own ld-linux.
# Nothing is installed, the system's apt state is not touched. Takes the mirror that apt already uses.
#   BASE   where to put it all (default: .cache/rust-tools of this repository); the programs are in BASE/bin
#   SUITE  Debian's release to take it from (default: trixie)
set -euo pipefail
BASE=${BASE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.cache/rust-tools}
SUITE=${SUITE:-trixie}
MIRROR=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -1)

mkdir -p "$BASE"/{apt/state/lists/partial,apt/cache/archives/partial,apt/etc/apt.conf.d,debs,root,bin}
touch "$BASE/apt/state/status" # an empty dpkg status: nothing counts as installed
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $SUITE main" >"$BASE/apt/etc/sources.list"
# The system's apt.conf (its transport settings) is still read; only state, cache and sources are ours.
apt=(-o Dir::State="$BASE/apt/state" -o Dir::State::status="$BASE/apt/state/status"
  -o Dir::Cache="$BASE/apt/cache" -o Dir::Etc::sourcelist="$BASE/apt/etc/sources.list"
  -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null
  -o APT::Install-Recommends=false -o Acquire::Languages=none -o APT::Sandbox::User=root)
apt-get -qq "${apt[@]}" update
# The tools and every library that they are linked with.
(cd "$BASE/debs" && apt-get -qq "${apt[@]}" download thin-provisioning-tools libc6 libgcc-s1 libdevmapper1.02.1 \
  libudev1 libselinux1 libpcre2-8-0 libcap2 zlib1g libzstd1)
for deb in "$BASE"/debs/*.deb; do dpkg-deb -x "$deb" "$BASE/root"; done

program=$(find "$BASE/root" -name pdata_tools -type f | head -1)
loader=$(find "$BASE/root" -name ld-linux-x86-64.so.2 | head -1)
libraries=$(find "$BASE/root" -type d -name x86_64-linux-gnu | paste -sd:)
wrap() { # NAME ARGUMENT...
  printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$loader" "$libraries" "$program${2:+ $2}" >"$BASE/bin/$1"
  chmod +x "$BASE/bin/$1"
}
wrap pdata_tools
for name in thin_{check,delta,dump,ls,metadata_pack,metadata_size,metadata_unpack,migrate,repair,restore,rmap,shrink,trim} \
  cache_{check,dump,metadata_size,repair,restore,writeback} era_{check,dump,invalidate,repair,restore}; do
  wrap "$name" "$name"
done
rm -rf "$BASE/debs"
echo "thin-provisioning-tools $("$BASE/bin/thin_check" --version) is in $BASE/bin"
