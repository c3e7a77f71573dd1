# Where a Python app says what it needs, and how uv installs that.
# shellcheck shell=bash

# Sets python_version; ends the build when the app asks for a Python that the stack does not have.
check_python_version() {
    local asked='' file
    python_version=$(content /usr/lib/skypanel/python-version)
    : "${python_version:=$(python3 -c 'import platform; print(platform.python_version())')}"
    for file in .python-version runtime.txt; do
        [[ -f $file ]] || continue
        asked=$(sed -n 's/#.*//; s/[[:space:]]//g; /./{p;q}' "$file")
        asked=${asked#python-}
        asked=${asked#cpython-}
        break
    done
    [[ -n $asked ]] || return 0
    case $asked in
        3 | "${python_version%.*}" | "$python_version") ;;
        "${python_version%.*}".*)
            warn "$file asks for Python $asked; this stack has $python_version (same ${python_version%.*}), which is used."
            ;;
        *)
            fail "$file asks for Python $asked; the stack $STACK has Python $python_version." \
                "Ask for ${python_version%.*}, or bring your own Python with a Dockerfile."
            ;;
    esac
}

# Sets manager, source_file, inputs (all files that decide what is installed) and always (not empty
# when the app itself is installed, so that a fingerprint of the dependencies is not enough).
find_dependencies() {
    manager=none source_file='' inputs=() always=''
    local packaged=''
    [[ -f pyproject.toml ]] && grep -q '^\[build-system\]' pyproject.toml && packaged=1
    if [[ -f uv.lock && -f pyproject.toml ]]; then
        manager=uv source_file=uv.lock inputs=(uv.lock pyproject.toml) always=$packaged
        grep -qE 'source = \{ (editable|directory|path)' uv.lock && always=1
    elif [[ -f requirements.txt ]]; then
        shopt -s nullglob
        manager=requirements source_file=requirements.txt
        inputs=(*requirements*.txt *requirements*.in constraints*.txt requirements/*.txt)
        shopt -u nullglob
        # A requirement on a folder of the app, or on a file elsewhere in it.
        grep -qE '^[[:space:]]*(-e|--editable|\.|/|file:|(-r|-c|--requirement|--constraint)[ =]*[^ ]*/)' "${inputs[@]}" && always=1
        grep -qE '^[[:space:]]*[^#[:space:]]' requirements.txt || manager=none
    elif [[ -f Pipfile.lock ]]; then
        manager=pipfile source_file=Pipfile.lock inputs=(Pipfile.lock)
    elif [[ -f Pipfile ]]; then
        manager=pipfile source_file=Pipfile inputs=(Pipfile)
        warn "There is no Pipfile.lock: every build may install other versions. Run pipenv lock and commit it."
    elif [[ -f pyproject.toml ]]; then
        source_file=pyproject.toml inputs=(pyproject.toml) always=$packaged
        if [[ -n $packaged ]]; then
            manager=project
            [[ -f poetry.lock ]] && warn "poetry.lock is not read; versions come from pyproject.toml. To pin them, commit a uv.lock."
        elif grep -q '^\[project\]' pyproject.toml; then
            manager=pyproject
        fi
    elif [[ -f setup.py ]]; then
        manager=project source_file=setup.py inputs=(setup.py) always=1
    fi
}

install_dependencies() {
    local requirements
    run "make a Python environment" uv venv --quiet --relocatable --no-project --python /usr/bin/python3 "$venv"
    case $manager in
        uv)
            run "install the dependencies in uv.lock" uv sync --locked --no-dev --no-editable --link-mode hardlink
            ;;
        requirements)
            run "install the dependencies in requirements.txt" uv pip install --python "$venv" --link-mode hardlink -r requirements.txt
            ;;
        pipfile)
            requirements=/tmp/pipfile-requirements.txt
            run "read $source_file" python3 "$here/lib/pipfile_requirements.py" "$source_file" "$requirements"
            run "install the dependencies in $source_file" uv pip install --python "$venv" --link-mode hardlink -r "$requirements"
            ;;
        pyproject)
            run "install the dependencies in pyproject.toml" uv pip install --python "$venv" --link-mode hardlink -r pyproject.toml
            ;;
        project)
            run "install the project" uv pip install --python "$venv" --link-mode hardlink .
            ;;
    esac
}
