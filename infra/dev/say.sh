# shellcheck shell=bash
# How every script here speaks and becomes root. Sourced, never run.

step() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$*"; }
# warn <line>...
warn() { printf ' !     %s\n' "$@" >&2; }

# fail <what happened and why> [what to do next]...: a line each
fail() {
    warn "$@"
    exit 1
}

# Indents a command's output under the current step; used as `command | indent`.
indent() { sed -u 's/^/       /'; }

# as_root <command>...: as it is for root, through sudo for everybody else.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        warn "\"$*\" needs root, and there is no sudo here. Run the same command as root."
        return 1
    fi
}

# Seconds since the given $SECONDS mark, for "done in" lines.
elapsed() { printf '%d s' "$((SECONDS - $1))"; }
