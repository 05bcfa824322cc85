#!/bin/sh
# Becomes nginx with the newest whole pair, configured for the nginx that this image has. POSIX sh:
# Debian's and BusyBox's both run it.
set -eu
umask 077
volume=@VOLUME@
state=@STATE@
template=$volume/nginx.conf

log() { printf 'aci-operator-tls: %s\n' "$*" >&2; }

accepts() { nginx -t -q -c "$state/$1/nginx.conf" 2>&1; }

# The issue time of the pair in $1; 0 where it has none.
generation() {
    number=$(cat "$1/generation" 2>/dev/null) || number=0
    case $number in '' | *[!0-9]*) number=0 ;; esac
    echo "$number"
}

# Whether the certificate and key in $1 are whole and belong together: nginx itself judges, with every
# line that it might not know replaced.
usable() {
    [ -d "$1" ] || return 1
    sed 's/.*# else://' "$template" >"$1/nginx.conf"
    problem=$(accepts "$1") && return
    log "the pair in $1 cannot be served: $problem"
    return 1
}

# Writes nginx.conf into $1, with only those lines replaced that this nginx refuses.
fit() {
    cp "$template" "$1/nginx.conf"
    if accepts "$1" >/dev/null; then return; fi
    marked=$(sed -n '/# else:/=' "$template")
    refused=
    for line in $marked; do
        others=$(printf '%s\n' "$marked" | sed "/^$line\$/d;s/\$/s,.*# else:,,/")
        sed "$others" "$template" >"$1/nginx.conf"
        if ! accepts "$1" >/dev/null; then
            log "this nginx refuses: $(sed -n "$line{s/^ *//;p;}" "$template")"
            refused="$refused
${line}s,.*# else:,,"
        fi
    done
    sed "$refused" "$template" >"$1/nginx.conf"
}

cd "$state"
baked=$(mktemp -d pair-XXXXXX)
for file in tls.crt tls.key generation; do cp "$volume/$file" "$baked/" || log "no $file on the volume"; done
live=$(readlink live) || live=

# A pair that was swapped in stays over a crash of this container; a volume with a newer one wins.
newest="$baked $live"
if [ -n "$live" ] && [ "$(generation "$live")" -ge "$(generation "$baked")" ]; then newest="$live $baked"; fi
for pair in $newest none; do if usable "$pair"; then break; fi; done
if [ "$pair" = none ]; then
    rm -rf "$baked"
    exit 1
fi
log "serving the pair of $(generation "$pair")"

[ "$pair" = "$live" ] || ln -sfn "$pair" live
for other in pair-*; do [ "$other" = "$pair" ] || rm -rf "$other"; done
fit "$pair"
exec nginx -c "$state/live/nginx.conf" -g 'daemon off;'
