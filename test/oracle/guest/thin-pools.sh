#!/bin/sh
# Guest script: thin-roundtrip.sh for several pools, one after the other in one boot.
# Each /files/*.job sets the parameters of one round trip (see thin-roundtrip.sh);
# its output stands between "@@job NAME" and "@@exit STATUS".
# Exit status 0 only when every round trip had it.
failed=0
for job in /files/*.job; do
  name=${job##*/}
  echo "@@job ${name%.job}"
  # A shell of its own, so that no parameter outlives its job.
  (set -a; . "$job"; exec sh /files/thin-roundtrip.sh)
  status=$?
  echo "@@exit $status"
  if [ $status != 0 ]; then
    failed=1
    dmesg | grep -i device-mapper | tail -n 5
    dmsetup remove_all
  fi
done
exit $failed
