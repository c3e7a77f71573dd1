# What a build says to the developer: steps, details, warnings and errors in Heroku's words.
# Sourced by /build and by the built-in buildpacks.
# shellcheck shell=bash

step() { printf -- '-----> %s\n' "$*"; }
detail() { printf '       %s\n' "$@"; }
warn() { printf ' !     %s\n' "$@"; }

# Says what went wrong, one argument a line, and ends the build.
fail() {
    printf ' !\n'
    printf ' !     %s\n' "$@"
    exit 1
}
