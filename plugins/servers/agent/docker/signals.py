"""Signalling the game in a container as its keeper would: not the shells that only wait for it."""

from __future__ import annotations

import signal

from stellar.errors import Invalid

SCRIPT = """
n=$1; me=$$; parents=" "
for status in /proc/[0-9]*/status; do
    while read -r key value rest; do
        [ "$key" = PPid: ] && parents="$parents$value "
    done <"$status"
done 2>/dev/null
sent=1
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}; name= catches=0
    [ "$pid" = "$me" ] && continue
    while read -r key value rest; do
        case $key in
            Name:) name=$value ;;
            SigCgt:) catches=$(( (0x$value >> (n - 1)) & 1 )) ;;
        esac
    done 2>/dev/null <"$folder/status" || continue
    case $name in
        docker-init|tini|catatonit|dumb-init) [ "$pid" != 1 ] || continue ;;
        sh|dash|bash|ash|busybox|zsh|ksh)
            case $parents in *" $pid "*) [ "$catches" = 1 ] || continue ;; esac ;;
    esac
    kill -"$n" "$pid" 2>/dev/null && sent=0
done
exit $sent
"""


def number_of(name: str) -> int:
    """A signal's number; ``Invalid`` for a name that is none."""
    try:
        return int(signal.Signals[name])
    except KeyError:
        raise Invalid(f"There is no signal {name!r}; use one such as SIGINT.") from None


def command(number: int) -> list[str]:
    """What to run in the container; it fails where nothing could be signalled."""
    return ["/bin/sh", "-c", SCRIPT, "sh", str(number)]
