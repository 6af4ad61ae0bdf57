#!/bin/sh
# Puts a backup in the place of a stopped PostgreSQL container's data, as `./ruta restore` does it on a machine: the
# folders `base` and `wal` of `./ruta backup` come as a tar on standard input. The next start rolls forward. A run that
# is cut off changes nothing, and the data that was there is kept beside the new one.
set -eu
folder=${1:-/var/lib/postgresql/ruta}
mkdir -p -m 0700 "$folder"
cd "$folder"
rm -rf restoring
mkdir -m 0700 restoring
tar -x -f - -C restoring
mkdir restoring/base/restored-wal
for segment in restoring/wal/*; do
    [ -e "$segment" ] || continue # nothing was written since
    name=${segment##*/}
    mv "$segment" "restoring/base/restored-wal/${name%.partial}"
done
printf '%s\n' "restore_command = 'cp restored-wal/%f %p'" "hot_standby = off" >>restoring/base/postgresql.auto.conf
: >restoring/base/recovery.signal
chmod -R u=rwX,go= restoring/base
[ ! -e data ] || mv data "data-$(date -u +%Y%m%dT%H%M%S)"
mv restoring/base data
rm -r restoring
touch initialised
