#!/bin/sh
# The image's build stage: from the sources in the current folder to FOLDER, an installation.
#
#   sh conf/container/build.sh FOLDER
set -eu
# No addon yet: the tarball's installation compiles them, once.
npm ci --ignore-scripts --no-progress
exec sh conf/package/build.sh "$1"
