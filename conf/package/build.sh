#!/bin/sh
# From the sources in the current folder, with their node modules, to a folder that is an installation: by way
# of the tarball that npm makes of them.
#
#   sh conf/package/build.sh FOLDER
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
node conf/package/stage.mjs "$work"/*.tgz "$1"
