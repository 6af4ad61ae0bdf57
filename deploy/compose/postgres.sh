#!/bin/sh
# Runs PostgreSQL in a container: makes the data folder once, with the administrator's password. The marker is written
# last, so a start that was cut off is done anew. Only what `ruta compose prepare` wrote is read.
set -eu
folder=/var/lib/postgresql/ruta
if [ ! -e "$folder/initialised" ]; then
    rm -rf "$folder"
    mkdir -m 0700 "$folder"
    # shellcheck disable=SC2046 # one argument a line, none with a space
    initdb --pgdata="$folder/data" --pwfile=/run/secrets/database-administrator $(cat /etc/ruta/initdb.arguments)
    touch "$folder/initialised"
fi
exec postgres -D "$folder/data" -c config_file=/etc/ruta/postgresql.conf -c hba_file=/etc/ruta/pg_hba.conf
