#!/bin/sh
# Runs Kafka in a container: formats the empty data folder once, with the users that must be there before the node
# starts. (The image's own start cannot: it knows no users.) The marker is written last, so a format that was cut off
# is done anew. Only what `ruta compose prepare` wrote is read; passwords stand in files, never in a command line.
set -eu
data=/var/lib/kafka/data
if [ ! -e "$data/formatted" ]; then
    rm -rf "$data/log"
    java -cp '/opt/kafka/libs/*' @/run/secrets/kafka-format >/dev/null # it prints the verifiers of the passwords
    touch "$data/formatted"
fi
# shellcheck disable=SC2046 # one option a line, none with a space
exec java $(cat /etc/ruta/java.options) -cp '/opt/kafka/libs/*' kafka.Kafka /run/secrets/kafka-properties
