#!/bin/sh
# Part of the Dockerfile: an environment with what one extra of pyproject.toml needs, from checked files alone.
set -eu
python3 requirements.py pyproject.toml "$1" >"$1.txt"
python3 -m venv --without-pip /opt/ruta/python
pip/bin/pip --python /opt/ruta/python/bin/python install --quiet --no-index --find-links wheels -r "$1.txt"
