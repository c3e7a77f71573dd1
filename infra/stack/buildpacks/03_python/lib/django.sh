# Django's static files, gathered at build time as its users expect.
# shellcheck shell=bash

collect_static() {
    [[ -f manage.py && -z ${DISABLE_COLLECTSTATIC:-} ]] || return 0
    python3 -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("django") is None)' || return 0
    # Without STATIC_ROOT there is no place to gather them in.
    grep -rqs --include='*.py' STATIC_ROOT . --exclude-dir=.heroku || return 0
    step "Collecting Django's static files"
    run "collect the static files (set DISABLE_COLLECTSTATIC=1 to leave this step out)" \
        python3 manage.py collectstatic --noinput
}
