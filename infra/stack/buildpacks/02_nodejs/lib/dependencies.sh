# Installs, keeps and prunes node_modules.
# shellcheck shell=bash

run_script() {
    step "Running $1"
    run "run the script '$1' of package.json" "$manager" run "$1"
}

builds() { has_script heroku-postbuild || has_script build; }

# Whether development dependencies leave the slug once the build is over.
prunes() {
    [[ ${package[dev_dependencies]} != 0 && $NODE_ENV == production && ${NPM_CONFIG_PRODUCTION:-} != false &&
        ${YARN_PRODUCTION:-} != false && ${PNPM_SKIP_PRUNING:-} != true ]]
}

# What is installed depends on these and on nothing else, unless the app has install scripts of its own.
modules_key() {
    local settings=()
    for file in .npmrc .yarnrc .yarnrc.yml .pnpmfile.cjs pnpm-workspace.yaml; do
        [[ -f $file ]] && settings+=("$file")
    done
    fingerprint "$node_version" "$STACK" "$manager" "$manager_version" "$NODE_ENV" "$(builds && echo builds)" \
        "$(prunes && echo prunes)" package.json "$lockfile" "${settings[@]}"
}

install_dependencies() {
    local key cached
    step "Installing dependencies${lockfile:+ from $lockfile}"
    if [[ ${package[dependencies]} == 0 && ${package[dev_dependencies]} == 0 && -z ${package[lifecycle]} && -z ${package[workspaces]} ]]; then
        detail "package.json asks for none"
        return
    fi
    if [[ -d node_modules ]]; then
        warn "node_modules is in the repository. Remove it, so that packages are built for this stack."
        if [[ -z $lockfile ]]; then
            run "rebuild the packages in node_modules" npm rebuild
            return
        fi
        rm -rf node_modules
    fi
    if [[ -z $lockfile ]]; then
        warn "There is no lockfile: every build may install other versions. Commit package-lock.json."
    fi
    key=$(modules_key)
    cached=
    if [[ -n $lockfile && -z ${package[lifecycle]} && -z ${package[workspaces]} && ! -f pnpm-workspace.yaml && ! -d .yarn ]]; then
        cached=$store/modules
    fi
    if [[ -n $cached && -d $cached && $(content "$store/key") == "$key" ]]; then
        detail "Unchanged since the last build, using the cached node_modules"
        cp -a "$cached" node_modules || fail "The cached node_modules could not be copied into the app."
        pruned=$(builds || echo yes)
        return
    fi
    rm -rf "$store/modules" "$store/key"
    case $manager in
        npm)
            if [[ -n $lockfile ]]; then
                run "install the packages in $lockfile" npm ci --include=dev
            else
                run "install the packages in package.json" npm install --include=dev --no-package-lock
            fi
            ;;
        yarn)
            if [[ $(yarn --version) == 1.* ]]; then
                run "install the packages in yarn.lock" yarn install --production=false --non-interactive \
                    --ignore-engines ${lockfile:+--frozen-lockfile}
            else
                export YARN_ENABLE_GLOBAL_CACHE=false YARN_NODE_LINKER=${YARN_NODE_LINKER:-node-modules} \
                    YARN_ENABLE_PROGRESS_BARS=false
                run "install the packages in yarn.lock" yarn install ${lockfile:+--immutable}
            fi
            ;;
        pnpm)
            # Copies, not links: the store stays in the cache while node_modules goes into the slug.
            run "install the packages in pnpm-lock.yaml" pnpm install --prod=false --package-import-method=copy \
                ${lockfile:+--frozen-lockfile}
            ;;
    esac
    # Without a build script nothing needs the development dependencies any more, so that the
    # pruned tree can be kept and the next build has nothing to do but copy it.
    builds || prune_dependencies
    if [[ -n $cached && -d node_modules ]]; then
        if cp -a node_modules "$cached"; then printf '%s' "$key" > "$store/key"; else rm -rf "$cached"; fi
    fi
}

pruned=
prune_dependencies() {
    [[ -z $pruned && -d node_modules ]] && prunes || return 0
    pruned=yes
    step "Pruning development dependencies"
    case $manager in
        npm) run "prune development dependencies" npm prune --omit=dev --ignore-scripts --no-package-lock ;;
        yarn)
            if [[ $(yarn --version) == 1.* ]]; then
                run "prune development dependencies" yarn install --production --ignore-scripts --prefer-offline \
                    --non-interactive --ignore-engines --frozen-lockfile
            else
                run "prune development dependencies" yarn workspaces focus --all --production
            fi
            ;;
        pnpm) run "prune development dependencies" pnpm prune --prod --ignore-scripts ;;
    esac
}
