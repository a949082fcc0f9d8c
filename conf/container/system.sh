#!/bin/sh
# The image's run stage on a bare Debian: node, and the user that it runs as. The program itself comes to
# /usr/lib/ipipoud afterwards.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y install --no-install-recommends nodejs libcap2-bin >/dev/null

groupadd --system --gid 990 ipipoud
useradd --system --uid 990 --gid 990 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ipipoud
# By their group root may write there too: with these two capabilities alone it is no more than anyone.
install -d -o ipipoud -g root -m 0770 /var/lib/ipipoud /run/ipipoud
install -d -g ipipoud -m 0750 /etc/ipipou
ln -s ../../lib/ipipoud/dist/bin/ipipoud.js /usr/local/bin/ipipoud

# A container's user has no capabilities, only its root has; files can give them. This copy of node does, to that
# user only, so that everything else in the container stays without.
install -g ipipoud -m 0750 /usr/bin/node /usr/lib/ipipoud-node
setcap cap_net_admin,cap_net_raw+ep /usr/lib/ipipoud-node

apt-get -qq -y purge --autoremove libcap2-bin >/dev/null
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
