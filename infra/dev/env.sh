# shellcheck shell=bash
# Where the scripts build, cache and run things. Sourced; every value can be set from outside.
# Expects the clone's root as the working directory.

root=$PWD
state=$root/.work

# A clone made for one CI run is thrown away; what takes long to make is then kept beside the system's other caches,
# where the next run finds it. Never in a directory that somebody else could have prepared.
cache_outside_clone() {
    [ "${CI:-}" = true ] || return 1
    mkdir -p "$1" 2>/dev/null && [ -O "$1" ] && [ -w "$1" ]
}

if [ -z "${CARGO_TARGET_DIR:-}" ]; then
    if cache_outside_clone /var/cache/skypanel-target; then
        CARGO_TARGET_DIR=/var/cache/skypanel-target
    else
        CARGO_TARGET_DIR=$root/target
    fi
fi
export CARGO_TARGET_DIR

images=$state/images
if cache_outside_clone /var/cache/skypanel-images; then images=/var/cache/skypanel-images; fi
export SKYPANEL_STACK_DIR=${SKYPANEL_STACK_DIR:-$images/stack}
export SKYPANEL_EDGE_DIR=${SKYPANEL_EDGE_DIR:-$images/edge}

# Not in the clone: PostgreSQL runs as a user of its own, who may not enter root's home, where a clone often lies.
if [ "$(id -u)" -eq 0 ]; then data=/var/lib/skypanel; else data=$state/data; fi
export SKYPANEL_DATA_DIR=${SKYPANEL_DATA_DIR:-$data}

# shellcheck disable=SC2034 # used by the scripts that source this
{
    pid_file=$state/skypanel.pid
    log_file=$state/skypanel.log
    scaled_down=$state/scaled-down
}

PATH=$state/tools:$HOME/.cargo/bin:$PATH
export PATH

# The finished programs of a profile, side by side as they are installed.
programs() { printf '%s/programs/%s' "$CARGO_TARGET_DIR" "$1"; }

# skypanel_pid: prints the process id of the Skypanel that `make demo` started; false when it does not run.
skypanel_pid() {
    local pid name
    [ -s "$pid_file" ] && read -r pid <"$pid_file" || return 1
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null && [ "$name" = skypanel ] || return 1
    printf '%s' "$pid"
}

# The label of everything that the Skypanel of this data directory made in the engine, and of nothing else.
our_label() { printf 'skypanel.installation=%s' "$(cat "$SKYPANEL_DATA_DIR/installation" 2>/dev/null || echo none)"; }

engine_answers() { docker version >/dev/null 2>&1; }
