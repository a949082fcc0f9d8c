# Runs once in the guest, before the command: modules and settings that every test relies on.

# `fou` never loads by itself; the others would, but a load in the middle of a test costs a second.
modprobe -a ipip fou veth dummy nf_tables nfnetlink_queue nft_queue nft_ct nft_masq nft_nat nft_chain_nat \
  bridge nft_limit nft_tproxy nft_fib_inet nf_conntrack_netlink sch_netem 2>&1

# tunl0 in the first namespace only, or it would turn up in before-and-after comparisons.
echo 1 >/proc/sys/net/core/fb_tunnels_only_for_init_net
# New namespaces take all settings from the first one, whatever the kernel's default for that is.
echo 1 >/proc/sys/net/core/devconf_inherit_init_net
# IPv6 is off (ipv6.disable_ipv6=1): link-local addresses come and go by themselves.
