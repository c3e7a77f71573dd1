#!/bin/bash
# Tests the stack with the engine as Skypanel uses it: imports the image, builds every example twice
# (the second time from the cache), starts its web process and asks it for its page, and provokes the
# failures a developer meets.
#   infra/stack/test.sh [STACK_DIR [EXAMPLE…]]
# Everything it makes is called stacktest-… and is removed at the end. KEEP=1 keeps the image.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
examples=$(cd "$here/../../examples" && pwd)
stack_dir=${1:-/var/cache/skypanel/stack}
only=("${@:2}")
image=stacktest-$$
ca_bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
container_ca=/etc/ssl/certs/ca-certificates.crt
passed=0 failures=()
work=$(mktemp -d)

cleanup() {
    docker ps -aq --filter "label=stacktest=$$" | xargs -r docker rm -f > /dev/null 2>&1
    docker volume ls -q --filter "label=stacktest=$$" | xargs -r docker volume rm > /dev/null 2>&1
    [[ -n ${KEEP:-} ]] || docker image rm -f "$image" "$image-dockerfile" > /dev/null 2>&1
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

pass() { passed=$((passed + 1)); printf 'ok    %s\n' "$*"; }
not_ok() { failures+=("$1"); printf 'FAIL  %s\n' "$1"; [[ -z ${2:-} ]] || sed 's/^/      | /' "$2"; }

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# The environment of a build container, as Skypanel sets it.
build_environment=()
for name in SSL_CERT_FILE PIP_CERT REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS CURL_CA_BUNDLE GIT_SSL_CAINFO; do
    build_environment+=(--env "$name=$container_ca")
done
build_environment+=(--env SSL_CERT_DIR=/etc/ssl/certs)
for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    [[ -z ${!name:-} ]] || build_environment+=(--env "$name")
done

import_image() {
    local changes=() line started
    started=$(milliseconds)
    while IFS= read -r line; do changes+=(--change "ENV $line"); done < <(
        sed -n '/"env"/,/\]/{s/^ *"\([A-Z]*=.*[^,]\)",*$/\1/p}' "$stack_dir/stack.json" | sed 's/",\{0,1\}$//')
    docker import --change 'USER app' --change 'WORKDIR /app' "${changes[@]}" "$stack_dir/stack.tar" "$image" > /dev/null ||
        { echo "The stack could not be imported from $stack_dir" >&2; exit 1; }
    echo "      stack imported in $(($(milliseconds) - started)) ms"
}

# build NAME SOURCE [CONTAINER OPTIONS…]: runs /build on a folder; the log is $work/NAME.log, the
# container stays for its /app, `took` is the time of /build alone. Answers /build's exit status.
build() {
    local name=$1 source=$2 container started
    shift 2
    docker volume inspect "stacktest-cache-$name-$$" > /dev/null 2>&1 ||
        docker volume create --label "stacktest=$$" "stacktest-cache-$name-$$" > /dev/null
    container=$(docker create --label "stacktest=$$" --memory 2g --cap-drop ALL --security-opt no-new-privileges \
        --volume "stacktest-cache-$name-$$:/tmp/cache" "${build_environment[@]}" "$@" "$image" \
        bash -c 's=${EPOCHREALTIME/./}; /build; r=$?; echo $(((${EPOCHREALTIME/./} - s) / 1000)) > /tmp/took; exit $r')
    tar -C "$source" --owner=10001 --group=10001 --numeric-owner -cf - . | docker cp - "$container:/tmp/app" > /dev/null
    if [[ -d $work/env-$name ]]; then
        tar -C "$work/env-$name" --owner=10001 --group=10001 --numeric-owner -cf - . | docker cp - "$container:/tmp/env"
    fi
    docker cp --follow-link "$ca_bundle" "$container:$container_ca" > /dev/null 2>&1
    docker start --attach "$container" > "$work/$name.log" 2>&1
    local status=$?
    took=$(docker cp "$container:/tmp/took" - 2> /dev/null | tar -xO 2> /dev/null)
    last_container=$container
    return "$status"
}

# serve NAME CONTAINER EXPECTED [PATH…]: starts the web process of a built app and fetches its pages.
serve() {
    local name=$1 built=$2 expected=$3 command running answer status
    # What skypanel-init does at start: .profile.d, then the process type's command line.
    docker cp "$built:/app" - > "$work/$name.slug.tar" 2> /dev/null
    command=$(tar -xOf "$work/$name.slug.tar" app/Procfile 2> /dev/null | sed -n 's/^web: *//p')
    [[ -n $command ]] || command=$(tar -xOf "$work/$name.slug.tar" app/.release | sed -n 's/^ *web: *//p')
    running=$(docker create --init --label "stacktest=$$" --memory 512m --cap-drop ALL --security-opt no-new-privileges \
        --env PORT=8123 --env COMMAND="$command" "$image" bash -c \
        'cd /app; for f in .profile.d/*.sh; do [[ -f $f ]] && . "$f"; done; exec bash -c "exec $COMMAND"')
    docker cp - "$running:/" < "$work/$name.slug.tar" > /dev/null
    docker start "$running" > /dev/null
    answer=$(docker exec "$running" bash -c 's=${EPOCHREALTIME/./}
        for ((i = 0; i < 1000; i++)); do
            (exec 3<> /dev/tcp/127.0.0.1/8123) 2> /dev/null && break
            sleep 0.01
        done
        echo "up after $(((${EPOCHREALTIME/./} - s) / 1000)) ms"
        curl --silent --show-error --max-time 10 http://127.0.0.1:8123/' 2>&1)
    status=$?
    last_running=$running
    if ((status == 0)) && [[ $answer == *"$expected"* ]]; then
        pass "$name answers ($(head -1 <<< "$answer"))"
    else
        { echo "wanted: $expected"; echo "$answer"; docker logs "$running" 2>&1 | tail -20; } > "$work/answer"
        not_ok "$name answers" "$work/answer"
    fi
}

# page NAME PATH EXPECTED: a further page of the app that serves now, status line included.
page() {
    local answer
    answer=$(docker exec "$last_running" curl --silent --include --path-as-is --max-time 10 "http://127.0.0.1:8123$2" 2>&1)
    if [[ $answer == *"$3"* ]]; then pass "$1 answers $2"; else not_ok "$1 answers $2 with: $3" <(echo "$answer"); fi
}

# logged NAME WORDS…: the last build's log has them.
logged() {
    local word
    for word in "${@:2}"; do
        if grep -qF -- "$word" "$work/$1.log"; then pass "$1 logs: $word"; else not_ok "$1 logs: $word" "$work/$1.log"; fi
    done
}

# stops NAME CONTAINER: a SIGTERM ends the web process within three seconds.
stops() {
    local started
    started=$(milliseconds)
    docker stop --time 5 "$2" > /dev/null
    started=$(($(milliseconds) - started))
    if ((started < 3000)); then pass "$1 stops on SIGTERM ($started ms)"; else not_ok "$1 stops on SIGTERM within 3 s ($started ms)"; fi
    docker rm -f "$2" > /dev/null
}

# wanted NAME: whether the command line asks for this case.
wanted() { ((${#only[@]} == 0)) || [[ " ${only[*]} " == *" $1 "* ]]; }

# example NAME BUILDPACK EXPECTED [FOLDER]: builds it twice, serves it, stops it.
example() {
    local name=$1 buildpack=$2 expected=$3 folder=${4:-$examples/$1} used first
    wanted "$name" || return 0
    if build "$name" "$folder"; then
        first=$took
        used=$(docker cp "$last_container:/tmp/build/buildpack" - | tar -xO)
        if [[ $used == "$buildpack" ]]; then pass "$name builds ($first ms)"; else not_ok "$name is built as $buildpack, not $used" "$work/$name.log"; fi
    else
        not_ok "$name builds" "$work/$name.log"
        return
    fi
    docker rm -f "$last_container" > /dev/null
    if build "$name" "$folder"; then
        pass "$name builds from its cache ($took ms)"
    else
        not_ok "$name builds from its cache" "$work/$name.log"
        return
    fi
    serve "$name" "$last_container" "$expected"
    docker rm -f "$last_container" > /dev/null
    if declare -F "also-$name" > /dev/null; then "also-$name"; fi
    stops "$name" "$last_running"
}

# fails NAME SOURCE WORDS… [-- CONTAINER OPTIONS…]: the build fails, its log has all the words, and its
# last line is an error line.
fails() {
    local name=$1 source=$2 words=() word
    shift 2
    wanted "$name" || return 0
    while (($# > 0)) && [[ $1 != -- ]]; do words+=("$1"); shift; done
    shift $(($# > 0))
    if build "$name" "$source" "$@"; then
        not_ok "$name fails" "$work/$name.log"
        return
    fi
    docker rm -f "$last_container" > /dev/null
    for word in "${words[@]}"; do
        if ! grep -qF -- "$word" "$work/$name.log"; then
            not_ok "$name says: $word" "$work/$name.log"
            return
        fi
    done
    if [[ $(tail -1 "$work/$name.log") == ' !     '* ]]; then pass "$name fails and says why"; else not_ok "$name ends in an error line" "$work/$name.log"; fi
}

# shellcheck source=test-cases.sh
. "$here/test-cases.sh"

echo
if ((${#failures[@]} > 0)); then
    printf 'failed: %s\n' "${failures[@]}"
fi
printf '%d passed, %d failed\n' "$passed" "${#failures[@]}"
((${#failures[@]} == 0))
