# Which Node and which package manager an app asks for, and how they get into it.
# shellcheck shell=bash

# Reads package.json into the array `package`.
inspect_package() {
    local name value
    [[ -f package.json ]] || fail "There is no package.json at the top of the repository."
    declare -gA package=()
    while IFS='=' read -r name value; do package[$name]=$value; done < <(node "$here/lib/inspect.js" package.json)
    [[ -z ${package[invalid]:-} ]] || fail "package.json is not valid JSON: ${package[invalid]}"
    [[ -n ${package[node_range]+known} ]] || fail "package.json could not be read."
    if [[ -z ${package[node_range_valid]} ]]; then
        fail "engines.node in package.json, '${package[node_range]}', is not a version range." \
            "Write a range such as 24.x or >=22."
    fi
}

has_script() { [[ " ${package[scripts]} " == *" $1 "* ]]; }

# Sets manager (npm, yarn or pnpm), manager_version (empty: the stack's own npm) and lockfile.
choose_manager() {
    local found=() file asked=${package[package_manager]}
    for file in package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml; do
        [[ -f $file ]] && found+=("$file")
    done
    if ((${#found[@]} > 1)) && [[ ${found[*]} != "package-lock.json npm-shrinkwrap.json" ]]; then
        fail "The repository has several lockfiles: ${found[*]}." \
            "Which package manager is meant cannot be told. Delete all but one."
    fi
    lockfile=${found[0]:-} manager_version=
    case $lockfile in
        yarn.lock) manager=yarn ;;
        pnpm-lock.yaml) manager=pnpm ;;
        '') manager=${asked%%@*}; manager=${manager:-npm} ;;
        *) manager=npm ;;
    esac
    [[ $manager =~ ^(npm|yarn|pnpm)$ ]] || fail "packageManager in package.json names '$manager'; npm, yarn and pnpm are supported."
    if [[ $asked == "$manager@"* ]]; then
        manager_version=${asked#*@}
        manager_version=${manager_version%%+*}
    fi
    case $manager in
        npm) [[ -n ${package[npm_range_fits]} ]] || manager_version=${manager_version:-${package[npm_range]}} ;;
        yarn)
            manager_version=${manager_version:-${package[yarn_range]}}
            if [[ -z $manager_version ]]; then
                if [[ -f .yarnrc.yml ]] || grep -q '^__metadata:' yarn.lock 2>/dev/null; then manager_version=4; else manager_version=1.22.22; fi
            fi
            ;;
        pnpm)
            manager_version=${manager_version:-${package[pnpm_range]}}
            if [[ -z $manager_version ]]; then
                case $(sed -n "s/^lockfileVersion: *//p" pnpm-lock.yaml 2>/dev/null | tr -d "'\"") in
                    5.*) manager_version=7 ;;
                    6.*) manager_version=8 ;;
                    *) manager_version=10 ;;
                esac
            fi
            ;;
    esac
    [[ $manager_version =~ ^[A-Za-z0-9.^~\<\>=\|\ *+-]*$ ]] || fail "'$manager_version' is not a version of $manager."
}

# Uses the stack's Node where it fits; otherwise puts one from the npm registry's `node` package into
# the app at .heroku/node.
install_node() {
    local range=${package[node_range]} folder version
    node_version=$(node --version)
    if [[ -n ${package[node_fits]} ]]; then
        detail "Node.js $node_version (of the stack)${range:+, which fits engines.node '$range'}"
        return
    fi
    # A version that was fetched for an earlier build and still fits is good enough.
    folder=$store/versions/$(fingerprint "$range")
    if [[ ! -x $folder/bin/node ]]; then
        detail "Fetching Node.js $range from the npm registry"
        rm -rf "$folder" "$store/versions.partial"
        mkdir -p "$store/versions" "$store/versions.partial"
        run "install Node.js $range (the npm registry's node package)" \
            env NODE_ENV=development npm install --prefix "$store/versions.partial" --no-save --no-package-lock "node@$range"
        local binary
        binary=$(find "$store/versions.partial/node_modules" -path '*/bin/node' -type f -size +1M | head -1)
        [[ -n $binary ]] || fail "The npm registry's node package holds no Node.js for this machine in '$range'."
        mkdir -p "$folder/bin"
        mv "$binary" "$folder/bin/node"
        chmod 755 "$folder/bin/node"
        rm -rf "$store/versions.partial"
    fi
    mkdir -p .heroku/node/bin
    cp "$folder/bin/node" .heroku/node/bin/node
    export PATH=$build_dir/.heroku/node/bin:$PATH
    version=$(node --version) || fail "The Node.js that was fetched for '$range' does not run here."
    node_version=$version
    # Headers of another version are not those of the stack's Node.
    unset npm_config_nodedir
    detail "Node.js $node_version, for engines.node '$range'"
}

# Fetches yarn or pnpm (or another npm) once, and puts it into the app, whose scripts may call it.
install_manager() {
    local folder spec
    if [[ $manager == npm && -z $manager_version ]]; then
        detail "npm $(node -p 'require("/usr/local/lib/node_modules/npm/package.json").version') (of the stack)"
        return
    fi
    folder=$store/managers/$manager-$(fingerprint "$manager_version" "$node_version")
    spec=$manager@$manager_version
    # From version 2 on, yarn is published under another name.
    [[ $manager == yarn && ! $manager_version =~ ^[\^~]?[01](\.|$) ]] && spec=@yarnpkg/cli-dist@$manager_version
    if [[ ! -d $folder ]]; then
        rm -rf "$folder.partial"
        mkdir -p "$folder.partial"
        run "install $manager $manager_version" env NODE_ENV=development npm install --prefix "$folder.partial" --no-save \
            --no-package-lock --ignore-scripts "$spec"
        mv "$folder.partial" "$folder"
    fi
    mkdir -p .heroku/node-manager/bin
    cp -a "$folder/node_modules" .heroku/node-manager/
    for bin in .heroku/node-manager/node_modules/.bin/*; do ln -sf "../node_modules/.bin/${bin##*/}" .heroku/node-manager/bin/; done
    export PATH=$build_dir/.heroku/node-manager/bin:$PATH
    detail "$manager $("$manager" --version 2>/dev/null)"
}
