# What every built-in buildpack's bin/compile starts from: its three folders, the app's config vars,
# running tools with their output shown, and fingerprints for the cache. Source it with
# `. /usr/lib/skypanel/buildpack.sh "$@"`; sets build_dir, cache_dir and env_dir.
# shellcheck shell=bash

set -uo pipefail
# shellcheck source=speak.sh
. /usr/lib/skypanel/speak.sh

# shellcheck disable=SC2034 # for the buildpacks
build_dir=${1:-} cache_dir=${2:-} env_dir=${3:-}
if [[ ! -d $build_dir ]]; then fail "Usage: bin/compile BUILD_DIR CACHE_DIR ENV_DIR"; fi
cd "$build_dir" || exit 1

# Config vars that would change how the build itself runs rather than what it builds.
readonly protected='^(PATH|HOME|PWD|USER|SHELL|IFS|BASH_ENV|ENV|LD_.*|CDPATH|GIT_DIR|STACK|PORT|DYNO|PS|PYTHONHOME|BASHOPTS|SHELLOPTS|UID|EUID|PPID)$'

# Puts the app's config vars into the environment, one file a var in env_dir.
load_config() {
    local file name
    [[ -d $env_dir ]] || return 0
    for file in "$env_dir"/*; do
        name=${file##*/}
        [[ -f $file && $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ && ! $name =~ $protected ]] || continue
        export "$name=$(< "$file")"
    done
}

# One digest over the given strings and files' contents; files that are missing are left out.
fingerprint() {
    local item
    for item in "$@"; do
        printf '%s\0' "$item"
        [[ -f $item ]] && cat -- "$item"
    done | sha256sum | { read -r digest _; printf '%s' "${digest:0:32}"; }
}

# The one line in a file, without the line's end; empty when there is no such file.
content() { [[ -f $1 ]] && printf '%s' "$(< "$1")"; }

# run PURPOSE COMMAND…: runs a tool, showing its output indented; when it fails, says why and ends
# the build. PURPOSE completes the sentence "Could not …".
run() {
    local purpose=$1 log status
    shift
    log=$(mktemp /tmp/run.XXXXXX)
    "$@" 2>&1 < /dev/null | tee "$log" | sed -u 's/^/       /'
    status=${PIPESTATUS[0]}
    if ((status != 0)); then
        # shellcheck source=explain.sh
        . /usr/lib/skypanel/explain.sh
        explain "$purpose" "$status" "$log"
        exit 1
    fi
    rm -f "$log"
}

# The app's own hook script, if it has one: hook bin/pre_compile
hook() {
    [[ -f $1 ]] || return 0
    step "Running $1 hook"
    chmod +x "$1"
    run "run the app's hook $1" "./$1"
}
