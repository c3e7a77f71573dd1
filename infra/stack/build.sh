#!/bin/bash
# Builds the default stack, skypanel-12 (Debian 12), as a root file system tar:
#   infra/stack/build.sh [--force] OUTPUT_DIR  →  OUTPUT_DIR/stack.tar, OUTPUT_DIR/stack.json
# A run whose inputs have not changed since the last one ends at once; a change of the buildpacks
# alone takes seconds (the Debian part is kept as base.tar). --force fetches today's Debian packages.
# Needs root, mmdebstrap, and a Debian mirror and PyPI within reach.
set -euo pipefail

stack=skypanel-12
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Fixed, so that the same packages give the same bytes: 2025-01-01T00:00:00Z.
export SOURCE_DATE_EPOCH=1735689600
export LC_ALL=C.UTF-8

say() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$*"; }
fail() {
    local line
    for line in "$@"; do printf ' !     %s\n' "$line" >&2; done
    exit 1
}

force=
[[ ${1:-} == --force ]] && { force=1; shift; }
[[ $# -eq 1 ]] || fail "Usage: infra/stack/build.sh [--force] OUTPUT_DIR"
mkdir -p "$1"
out=$(cd "$1" && pwd)

# One digest over names, modes and contents of the given files and folders.
fingerprint() {
    (cd "$here" && find "$@" -type f -printf '%m %p\n' | sort
     cd "$here" && find "$@" -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -d' ' -f1
}
arch=$(dpkg --print-architecture)
base_print=$arch-$(fingerprint packages excludes tools.txt customize.sh build.sh lib/java_truststore.py)
stack_print=$base_print-$(fingerprint build buildpacks lib files | cut -c1-32)

current() { [[ -f $1 && -f $2 && $(< "$2") == "$3" ]]; }

if [[ -z $force && -f $out/stack.json ]] && current "$out/stack.tar" "$out/stack.fingerprint" "$stack_print"; then
    detail "Stack $stack is up to date ($(du -h --apparent-size "$out/stack.tar" | cut -f1))"
    exit 0
fi

[[ $EUID -eq 0 ]] || fail "The stack is built as root, because its files belong to several users." \
    "Run it again with sudo."
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing. Install it with: apt-get install mmdebstrap"
exec 9> "$out/.lock"
flock -n 9 || { detail "Another build of the stack is running; waiting for it"; flock -w 1200 9; }
free_mb=$(df --output=avail -m "$out" | tail -1)
((free_mb > 6000)) || fail "Building the stack needs 6 GB of free disk in $out; there are $free_mb MB."

work=$(mktemp -d "$out/.work.XXXXXX")
builder=
cleanup() {
    if [[ -n $builder ]] && kill -0 "$builder" 2>/dev/null; then kill "$builder"; wait "$builder" || true; fi
    rm -rf "$work" "$out"/*.partial
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# shellcheck disable=SC2016 # the formats are apt-get's own variables
# The mirrors this host uses for Debian 12; deb.debian.org where it has none of its own.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "bookworm" && $3 == "Debian" { print $1; exit }')
# shellcheck disable=SC2016
security=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "bookworm-security" { print $1; exit }')
: "${mirror:=http://deb.debian.org/debian}" "${security:=http://deb.debian.org/debian-security}"

write_apt_settings() {
    local options='' suite
    [[ -f /usr/share/keyrings/debian-archive-keyring.gpg ]] &&
        options='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] '
    for suite in bookworm bookworm-updates bookworm-backports; do
        echo "deb $options$mirror $suite main"
    done > "$work/sources.list"
    echo "deb $options$security bookworm-security main" >> "$work/sources.list"
    # Proxy, time limits and the like as the host has them.
    apt-config dump | grep -E '^Acquire::(https?|Check-Valid-Until|Check-Date|Retries|ForceIPv[46])[: ]' > "$work/apt.conf" || true
    printf '%s\n' 'Acquire::Retries "3";' 'APT::Sandbox::User "root";' >> "$work/apt.conf"
    sed 's/#.*//; /^[[:space:]]*$/d; s/^/path-exclude=/' "$here/excludes" > "$work/dpkg.cfg"
    echo 'path-include=/usr/share/doc/*/copyright' >> "$work/dpkg.cfg"
    echo 'force-unsafe-io' >> "$work/dpkg.cfg"
}

# Says every few seconds how far apt and dpkg are.
show_progress() {
    local started=$SECONDS total=0 ready
    while kill -0 "$builder" 2>/dev/null; do
        sleep 5
        total=$(grep -c '^Unpacking ' "$work/log" || true)
        ready=$(grep -c '^Setting up ' "$work/log" || true)
        if ((total == 0)); then
            detail "$((SECONDS - started)) s: fetched $(grep -c '^Get:' "$work/log" || true) files"
        else
            detail "$((SECONDS - started)) s: unpacked $total packages, set up $ready"
        fi
    done
}

build_base() {
    local packages status=0
    packages=$(sed 's/#.*//' "$here/packages" | xargs | tr ' ' ',')
    write_apt_settings
    say "Building the stack $stack from $mirror"
    : > "$work/log"
    # shellcheck disable=SC2016 # expanded by mmdebstrap's hooks
    TMPDIR=$work timeout 1500 mmdebstrap --verbose --mode=root --variant=minbase --format=tar --skip=cleanup/tmp \
        --aptopt="$work/apt.conf" --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt="$work/dpkg.cfg" --include="$packages" \
        --essential-hook='mkdir -p "$1"/usr/share/man/man1' \
        --customize-hook="$here/customize.sh \"\$1\"" \
        bookworm "$out/base.tar.partial" "$work/sources.list" > "$work/log" 2>&1 &
    builder=$!
    show_progress
    wait "$builder" || status=$?
    builder=
    ((status == 0)) && return
    cp "$work/log" "$out/build.log"
    grep -E '^(E|Err|W):|ERROR|error:' "$work/log" | tail -8 | sed 's/^/       /' >&2
    case $status in
        124) fail "Building the stack took longer than 25 minutes and was stopped." ;;
    esac
    if grep -q 'CERTIFICATE_VERIFY_FAILED' "$work/log"; then
        fail "PyPI's certificate is not trusted. If this network rewrites TLS, set PIP_CERT to its CA bundle."
    fi
    if grep -qE 'Could not resolve|Unable to connect|Failed to fetch|Temporary failure' "$work/log"; then
        fail "A package could not be fetched from $mirror, $security or PyPI." \
            "Check the network (and the proxy in apt's settings), then run it again."
    fi
    fail "Building the stack failed (exit status $status). The whole log: $out/build.log"
}

started=$SECONDS
if [[ -n $force ]] || ! current "$out/base.tar" "$out/base.fingerprint" "$base_print"; then
    rm -f "$out"/{base,stack}.fingerprint
    build_base
    mv "$out/base.tar.partial" "$out/base.tar"
    echo "$base_print" > "$out/base.fingerprint"
    detail "Debian part ready after $((SECONDS - started)) s"
fi

say "Adding the buildpacks"
overlay=$work/overlay
mkdir -p "$overlay/tmp" "$overlay/usr/lib/skypanel"
cp -r "$here/files/." "$overlay/"
cp -r "$here/buildpacks" "$overlay/tmp/buildpacks"
cp -r "$here/lib/." "$overlay/usr/lib/skypanel/"
install -m 755 "$here/build" "$overlay/build"
cp --reflink=auto "$out/base.tar" "$out/stack.tar.partial"
# Buildpacks belong to app: classic ones leave an `export` file in their own folder.
append() {
    local owner=$1
    shift
    (cd "$overlay" && find "$@" -print0 | sort -z) | tar --append --file "$out/stack.tar.partial" \
        --directory "$overlay" --owner="$owner" --group="$owner" --numeric-owner --mode='u+rw,go+r-w' \
        --mtime="@$SOURCE_DATE_EPOCH" --no-recursion --null --files-from -
}
append 10001 tmp/buildpacks -mindepth 1
append 0 build usr -not -type d

digest=$(sha256sum "$out/stack.tar.partial" | cut -d' ' -f1)
cat > "$out/stack.json.partial" <<JSON
{
  "name": "$stack",
  "architecture": "$arch",
  "fingerprint": "$stack_print",
  "digest": "sha256:$digest",
  "user": "app",
  "workdir": "/app",
  "env": [
    "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
    "HOME=/app",
    "LANG=C.UTF-8",
    "STACK=$stack"
  ]
}
JSON
rm -f "$out/stack.fingerprint"
mv "$out/stack.tar.partial" "$out/stack.tar"
mv "$out/stack.json.partial" "$out/stack.json"
echo "$stack_print" > "$out/stack.fingerprint"
detail "Stack $stack: $(du -h --apparent-size "$out/stack.tar" | cut -f1), built in $((SECONDS - started)) s"
