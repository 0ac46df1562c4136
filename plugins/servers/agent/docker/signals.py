"""Signalling the game in a container as its keeper would: not the shells that only wait for it."""

from __future__ import annotations

import signal

from stellar.errors import Invalid

SCRIPT = r"""
n=$1; me=$$; parents=" "; before=" "; later=; sent=1
children_of() {
    for status in /proc/[0-9]*/status; do
        while read -r key value rest; do
            [ "$key" = PPid: ] && [ "$value" = "$1" ] || continue
            child=${status#/proc/}; child=${child%/status}
            case $before in *" $child "*) return 0 ;; esac
        done 2>/dev/null <"$status"
    done
    return 1
}
for status in /proc/[0-9]*/status; do
    pid=${status#/proc/}; before="$before${pid%/status} "
    while read -r key value rest; do
        [ "$key" = PPid: ] && parents="$parents$value "
    done 2>/dev/null <"$status"
done
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
        docker-init|podman-init|tini|catatonit|dumb-init) [ "$pid" != 1 ] || continue ;;
        sh|dash|bash|ash|busybox|zsh|ksh)
            case $parents in *" $pid "*)
                [ "$catches" = 1 ] || continue
                [ "$n" = 2 ] && { later="$later $pid"; sent=0; continue; } ;;
            esac ;;
    esac
    kill -"$n" "$pid" 2>/dev/null && sent=0
done
[ -z "$later" ] || sleep 0.3 2>/dev/null
for pid in $later; do
    children_of "$pid" || kill -"$n" "$pid" 2>/dev/null
done
exit $sent
"""
"""Every shell catches SIGINT, with a trap or without: one whose program lives on after that is only waiting for it."""


def number_of(name: str) -> int:
    """A signal's number; ``Invalid`` for a name that is none."""
    try:
        return int(signal.Signals[name])
    except KeyError:
        raise Invalid(f"There is no signal {name!r}; use one such as SIGINT.") from None


def command(number: int) -> list[str]:
    """What to run in the container; it fails where nothing could be signalled."""
    return ["/bin/sh", "-c", SCRIPT, "sh", str(number)]
