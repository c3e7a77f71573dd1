# Tells from a failed tool's output why it failed, in words of the developer's own project.
# Sourced by buildpack.sh when a tool fails, never on the way of a good build.
# shellcheck shell=bash

# Whether the kernel has killed something in this container for want of memory (cgroup v2, then v1).
memory_ran_out() {
    local key value
    while read -r key value; do
        [[ $key == oom_kill && $value -gt 0 ]] && return 0
    done < <(cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null)
    return 1
}

# cause STATUS LOG: prints the reason, one line or more; nothing when it cannot be told.
cause() {
    local status=$1 log=$2 found
    if ((status == 137)) || memory_ran_out || grep -qE '(^|[^a-z])Killed$|JavaScript heap out of memory|Cannot allocate memory|OutOfMemoryError|signal: killed' "$log"; then
        echo "It ran out of memory: the build needs more than its limit allows."
        return
    fi
    if grep -qE 'No space left on device|ENOSPC|Disk quota exceeded' "$log"; then
        echo "It ran out of disk space."
        return
    fi
    found=$(wrong_version "$log")
    [[ -n $found ]] || found=$(dependency "$log")
    if [[ -n $found ]]; then
        echo "$found"
        return
    fi
    if grep -qiE 'CERTIFICATE_VERIFY_FAILED|UnknownIssuer|invalid peer certificate|self[- ]signed certificate|SELF_SIGNED_CERT|unable to get local issuer|x509: certificate|PKIX path building failed|certificate verify failed' "$log"; then
        echo "The registry's TLS certificate is not trusted. If this network rewrites TLS, its CA has"
        echo "to be in the bundle that Skypanel hands to builds (an operator's setting)."
        return
    fi
    if grep -qiE 'Could not resolve|getaddrinfo|Temporary failure in name resolution|dns error|no such host|UnknownHost|Name or service not known|Unknown host|failed to lookup address|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|Connection refused|Connection timed out|i/o timeout|Network is unreachable|Failed to open TCP connection|Could not reach host|operation timed out|tunneling socket|ECONNRESET|Could not fetch specs|curl error (6|7|28|35)|Could not transfer artifact' "$log"; then
        found=$(grep -oE 'https?://[A-Za-z0-9._-]+(:[0-9]+)?' "$log" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')
        echo "The registry${found:+ $found} could not be reached from the build."
    fi
}

# The dependency that a package manager says it cannot find.
dependency() {
    local log=$1 name
    # uv: its reports are wrapped to the terminal's width, so they are read as one line.
    local flat
    flat=$(tr -s ' \n' '  ' < "$log" | sed 's/│//g' | tr -s ' ')
    if [[ $flat =~ Because\ ([^ ]+)\ was\ not\ found\ in\ the\ (package\ registry|provided) ]]; then
        echo "The Python package '${BASH_REMATCH[1]}' was not found on the package index."
    elif [[ $flat =~ Because\ there\ (is|are)\ no\ versions?\ of\ ([^ ,]+) ]]; then
        echo "No version of the Python package '${BASH_REMATCH[2]}' fits what is asked for."
    elif [[ $flat =~ Because\ only\ (.{1,200})\ (is|are)\ available\ and\ (your\ project\ depends\ on|you\ require)\ ([^, ]+) ]]; then
        echo "No version of the Python package '${BASH_REMATCH[4]}' fits what is asked for."
    elif [[ $flat =~ Failed\ to\ build\ \`?([A-Za-z0-9_.-]+)(==[^\`\ ]*)? ]]; then
        echo "The Python package '${BASH_REMATCH[1]}' could not be built from source."
    # npm
    elif name=$(grep -m1 -oE "npm (error|ERR!) 404 +'[^']+' is not in" "$log" | cut -d"'" -f2) && [[ -n $name ]]; then
        echo "The npm package '$name' was not found on the registry."
    elif name=$(grep -m1 -oE "The requested resource '[^']+' could not be found" "$log" | cut -d"'" -f2) && [[ -n $name ]]; then
        echo "The npm package '$name' was not found on the registry."
    elif name=$(grep -m1 -oE "No matching version found for [^ ]+[^ .]" "$log" | awk '{ print $6 }') && [[ -n $name ]]; then
        echo "No version of the npm package '$name' fits what is asked for."
    elif grep -qE 'can only install packages when your package.json and package-lock.json' "$log"; then
        echo "package.json and package-lock.json do not agree. Run npm install and commit the lockfile."
    # yarn
    elif name=$(grep -m1 -oE "Couldn't find (package|any versions for) \"[^\"]+\"" "$log" | cut -d'"' -f2) && [[ -n $name ]]; then
        echo "The npm package '$name' was not found on the registry, or no version of it fits."
    elif grep -qE 'Your lockfile needs to be updated|lockfile would have been modified' "$log"; then
        echo "package.json and yarn.lock do not agree. Run yarn install and commit the lockfile."
    # pnpm
    elif grep -q 'ERR_PNPM_OUTDATED_LOCKFILE' "$log"; then
        echo "package.json and pnpm-lock.yaml do not agree. Run pnpm install and commit the lockfile."
    elif name=$(grep -m1 -oE 'GET https?://[^ ]+: Not Found' "$log" | sed -E 's|.*//[^/]+/([^ ]+): .*|\1|') && [[ -n $name ]]; then
        echo "The npm package '$name' was not found on the registry."
    # Go
    elif name=$(grep -m1 -oE 'no required module provides package [^ ;:]+' "$log" | awk '{ print $6 }') && [[ -n $name ]]; then
        echo "go.mod does not list a module for the package '$name'. Run go mod tidy and commit."
    elif name=$(grep -m1 -oE '(module )?[a-z0-9.-]+\.[a-z]+/[^ ]+@[^ ]+: (reading|invalid version|unrecognized|.*404)' "$log" | sed 's/^module //; s/: .*//') && [[ -n $name ]] && grep -qE '404|not found|unknown revision' "$log"; then
        echo "The Go module '$name' was not found."
    elif grep -qE 'missing go.sum entry|updates to go.mod needed|inconsistent vendoring' "$log"; then
        echo "go.mod, go.sum and vendor/ do not agree. Run go mod tidy (and go mod vendor) and commit."
    # Bundler
    elif name=$(grep -m1 -oE "Could not find gem '[^']+'" "$log" | cut -d"'" -f2) && [[ -n $name ]]; then
        echo "The gem '$name' was not found."
    elif name=$(grep -m1 -oE 'Could not find [^ ]+-[0-9][^ ]* in ' "$log" | awk '{ print $4 }') && [[ -n $name ]] && ! grep -q 'Could not fetch specs' "$log"; then
        echo "The gem '$name' was not found."
    # Composer
    elif name=$(grep -m1 -oE 'Root composer.json requires [^ ,]+ [^,]*, (it could not be found|found)' "$log" | awk '{ print $4 }') && [[ -n $name ]]; then
        echo "The Composer package '$name' was not found, or no version of it fits."
    elif grep -q 'Your lock file does not contain a compatible set of packages' "$log"; then
        echo "composer.lock does not fit this PHP version or its extensions. Run composer update and commit."
    # Maven
    elif name=$(grep -m1 -oE 'Could not find artifact [^ ]+' "$log" | awk '{ print $5 }') && [[ -n $name ]]; then
        echo "The Maven artifact '$name' was not found."
    fi
}

# A language version that the stack does not have.
wrong_version() {
    local log=$1 flat
    flat=$(tr -s ' \n' '  ' < "$log")
    if [[ $flat =~ Your\ Ruby\ version\ is\ ([0-9.]+),\ but\ your\ Gemfile\ specified\ ([^ ]+) ]]; then
        echo "The Gemfile asks for Ruby ${BASH_REMATCH[2]}; this stack has Ruby ${BASH_REMATCH[1]}."
    elif [[ $flat =~ does\ not\ satisfy\ (Python[^\ ,]+) ]]; then
        echo "The project or a dependency asks for ${BASH_REMATCH[1]}; this stack has Python $(python3 -c 'import platform; print(platform.python_version())')."
    elif [[ $flat =~ requires-python|Requires-Python && $flat =~ (Python[\ ]*[\>=\<~]+[0-9.]+) ]]; then
        echo "The project asks for ${BASH_REMATCH[1]}; this stack has Python $(python3 -c 'import platform; print(platform.python_version())')."
    elif [[ $flat =~ requires\ go\ \>=\ ([0-9.]+) ]]; then
        echo "go.mod asks for Go ${BASH_REMATCH[1]}, which could not be fetched; this stack has $(GOTOOLCHAIN=local go env GOVERSION)."
    elif [[ $flat =~ invalid\ target\ release:\ ([0-9]+)|release\ version\ ([0-9]+)\ not\ supported ]]; then
        echo "The project asks for Java ${BASH_REMATCH[1]}${BASH_REMATCH[2]}; this stack has Java 17."
    fi
}

explain() {
    local purpose=$1 status=$2 log=$3 reason
    reason=$(cause "$status" "$log")
    printf ' !\n !     Could not %s (exit status %s).\n' "$purpose" "$status"
    if [[ -n $reason ]]; then
        printf ' !     %s\n' "${reason//$'\n'/$'\n' !     }"
    else
        printf ' !     The tool'\''s own words are above.\n'
    fi
}
