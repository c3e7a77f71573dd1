#!/usr/bin/env bash
# Installs the built Skypanel on this machine as a systemd service: programs, stack, edge, user, unit.
#
# usage: infra/install.sh
#
# Run as root in a clone after `make build images`. Running it again updates the programs and restarts the service;
# data in /var/lib/skypanel and settings in /etc/skypanel are never touched.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
cd "$here/.."
# shellcheck source=infra/dev/say.sh
. infra/dev/say.sh
# shellcheck source=infra/dev/env.sh
. infra/dev/env.sh

[ "$(id -u)" -eq 0 ] || fail "Installing writes to /usr and /etc. Run it again with sudo."
[ -d /run/systemd/system ] || fail "This machine does not run systemd. Start Skypanel by hand instead: skypanel up"
built=$(programs release)
[ -x "$built/skypanel" ] || fail "Nothing is built in $built. Run \`make build\` first."
for file in "$SKYPANEL_STACK_DIR/stack.tar" "$SKYPANEL_EDGE_DIR/edge.tar"; do
    [ -s "$file" ] || fail "$file is missing. Run \`make images\` first."
done

step "Installing Skypanel"
getent passwd skypanel >/dev/null \
    || useradd --system --home-dir /var/lib/skypanel --no-create-home --shell /usr/sbin/nologin skypanel
getent group docker >/dev/null || fail "There is no group docker, so the Docker engine is not installed. Run \`infra/dev/prepare run\` first."

install -d /usr/lib/skypanel /usr/share/skypanel/stack /usr/share/skypanel/edge
install -d -m 0750 -g skypanel /etc/skypanel
for program in skypanel skypanel-hook skypanel-init; do
    # Renamed into place: a running program cannot be written over.
    install -m 0755 "$built/$program" "/usr/lib/skypanel/$program.new"
    mv -f "/usr/lib/skypanel/$program.new" "/usr/lib/skypanel/$program"
done
ln -sfn ../lib/skypanel/skypanel /usr/bin/skypanel
# What the client's users have beside it: the manual page and the completions of their shell.
written() {
    install -d "$(dirname "$1")"
    "$built/skypanel" "${@:2}" >"$1.new" && chmod 0644 "$1.new" && mv -f "$1.new" "$1"
}
written /usr/share/man/man1/skypanel.1 man
written /usr/share/bash-completion/completions/skypanel completions bash
written /usr/share/fish/vendor_completions.d/skypanel.fish completions fish
written /usr/share/zsh/vendor-completions/_skypanel completions zsh
install -m 0644 "$SKYPANEL_STACK_DIR"/stack.{tar,json} /usr/share/skypanel/stack/
install -m 0644 "$SKYPANEL_EDGE_DIR"/edge.{tar,json} /usr/share/skypanel/edge/
[ ! -e README.md ] || install -D -m 0644 README.md /usr/share/doc/skypanel/README.md
install -m 0644 infra/skypanel.service /etc/systemd/system/skypanel.service

systemctl daemon-reload
systemctl enable --quiet skypanel
systemctl restart skypanel
detail "Running. Its log: journalctl -u skypanel -f"
