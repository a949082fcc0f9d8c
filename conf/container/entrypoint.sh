#!/bin/sh
# What a container starts: ipipoud, with the capabilities that its copy of node gives to an ordinary user. The
# kernel refuses to run that copy where one of them is out of reach, and would not say which.
set -eu
main=/usr/lib/ipipoud/dist/bin/ipipoud.js

# Root has what the container was given, and ipipoud itself says what it misses.
[ "$(id -u)" != 0 ] || exec node "$main" "$@"

bounding=0 locked=0
while read -r name value; do
  case "$name" in
    CapBnd:) bounding=$value ;;
    NoNewPrivs:) locked=$value ;;
  esac
done </proc/self/status

mend="give the container both: --cap-add NET_ADMIN --cap-add NET_RAW"
# include/uapi/linux/capability.h: CAP_NET_ADMIN is bit 12, CAP_NET_RAW 13
case "$((0x$bounding >> 12 & 3))$locked" in
  0*) missing="CAP_NET_ADMIN and CAP_NET_RAW are" ;;
  1*) missing="CAP_NET_RAW is" ;;
  2*) missing="CAP_NET_ADMIN is" ;;
  30) exec /usr/lib/ipipoud-node "$main" "$@" ;;
  *)
    missing="CAP_NET_ADMIN and CAP_NET_RAW, which no-new-privileges keeps from this user, are"
    mend="leave no-new-privileges out, or run the container as root (--user 0)"
    ;;
esac

# Only the daemon needs them: no command does, nor what only looks.
case "${1:--} $* " in
  [!-]* | *" --check "* | *" --help "* | *" --version "*) exec node "$main" "$@" ;;
esac
echo "ipipoud: $missing missing: $mend" >&2
exit 3
