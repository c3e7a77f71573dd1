# The cases of test.sh, which sources this file.
# shellcheck shell=bash

fixtures=$here/fixtures
import_image

# --- Every example ---------------------------------------------------------------------------------

also-python-flask() {
    page python-flask /health '"status":"ok"'
    logged python-flask "Unchanged since the last build"
}
also-node-express() { logged node-express "Unchanged since the last build"; }
also-php-hello() {
    page php-hello /some/route "Hello from php-hello"
    page php-hello /../../etc/passwd "400 Bad Request"
    page php-hello /.release "404 Not Found"
}
also-static-site() {
    page static-site /style.css "text/css"
    page static-site /missing "404 Not Found"
    page static-site /.profile.d/ "404 Not Found"
    page static-site /%2e%2e/%2e%2e/etc/passwd "400 Bad Request"
}

example python-hello python "Hello from Skypanel"
example python-flask python "Hello from python-flask"
example multi-process python "Hello from multi-process"
example node-express node.js "Hello from node-express"
example go-hello go "Hello from go-hello"
example ruby-rack ruby "Hello from ruby-rack"
example php-hello php "Hello from php-hello"
example java-hello java "Hello from java-hello"
example static-site static "Hello from static-site"
example procfile-only procfile "Hello from procfile-only"

if wanted dockerfile-hello; then
    if docker build --quiet --build-arg "STACK=$image" --tag "$image-dockerfile" "$examples/dockerfile-hello" > "$work/docker.log" 2>&1; then
        last_running=$(docker run --detach --init --label "stacktest=$$" --env PORT=8123 "$image-dockerfile")
        sleep 0.5
        page dockerfile-hello / "Hello from dockerfile-hello"
        stops dockerfile-hello "$last_running"
    else
        not_ok "dockerfile-hello builds" "$work/docker.log"
    fi
fi

# --- Other ways to say what an app needs -----------------------------------------------------------

also-python-uv() { logged python-uv "pre_compile hook says hello"; }
also-node-engine() { logged node-engine "prebuild ran" "postbuild ran with v22."; }

example python-uv python "itsdangerous 2.2.0 dev=False pre post" "$fixtures/python-uv"
example python-pyproject python "itsdangerous 2.2.0 dev=False" "$fixtures/python-pyproject"
example python-pipfile python "itsdangerous 2.2.0 dev=False" "$fixtures/python-pipfile"
example node-yarn node.js "node-yarn 1000 built" "$fixtures/node-yarn"
example node-berry node.js "node-berry 1000 after the install" "$fixtures/node-berry"
example node-pnpm node.js "node-pnpm 1000 built" "$fixtures/node-pnpm"
example node-engine node.js "node-engine v22." "$fixtures/node-engine"

# app NAME [FILE CONTENT]…: writes an app for one case below into $work/apps/NAME.
app() {
    local folder=$work/apps/$1
    shift
    mkdir -p "$folder"
    while (($# > 0)); do
        mkdir -p "$(dirname "$folder/$1")"
        printf '%s\n' "$2" > "$folder/$1"
        shift 2
    done
}

# A Node front end's build with a Python server: two buildpacks, the second one's processes.
app several .buildpacks $'# comment\nheroku/nodejs\nheroku/python' app.py 'import http.server, os, pathlib
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(pathlib.Path("front.txt").read_bytes())
http.server.HTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()' \
    package.json '{"scripts": {"build": "echo from the front end > front.txt"}}'
example several node.js,python "from the front end" "$work/apps/several"

# A site that is one page for every route, with rules of its own.
app single-page static.json '{"root": "site", "clean_urls": true, "routes": {"/**": "index.html"}, "headers": {"/**": {"X-Test": "yes"}}}' \
    site/index.html 'the single page' site/about.html 'about us' Procfile 'web: serve-static'
also-single-page() {
    page single-page /deep/link "the single page"
    page single-page /about "about us"
    page single-page / "X-Test: yes"
}
example single-page static "the single page" "$work/apps/single-page"

# What .slugignore names is gone before the buildpack looks.
app slugignore .slugignore $'*.md\n/big/\nrequirements.txt' requirements.txt 'no-such-package-at-all==1' README.md x big/a x \
    Procfile 'web: python3 -m http.server $PORT' index.txt 'slim'
also-slugignore() {
    page slugignore /index.txt slim
    page slugignore /README.md "404 File not found"
    page slugignore /big/ "404 File not found"
}
example slugignore procfile "Directory listing" "$work/apps/slugignore"

# A buildpack of the app's own choice, from a Git repository at a given branch, with an export.
app custom/buildpack bin/detect $'#!/bin/bash\necho Custom' bin/release $'#!/bin/bash\necho "default_process_types:"; echo "  web: ./server"' \
    bin/compile '#!/bin/bash
echo "-----> Custom buildpack: $(cat "$3/COLOUR") $(ls "$1" | wc -l)"
printf "#!/bin/bash\nexec python3 -m http.server \$PORT\n" > "$1/server"; chmod +x "$1/server"'
chmod +x "$work"/apps/custom/buildpack/bin/*
(cd "$work/apps/custom/buildpack" && git init -q -b other . && git add -A &&
    git -c user.name=t -c user.email=t@example.com commit -qm one && git clone -q --bare . ../repository.git && rm -rf .git)
mkdir -p "$work/env-custom"
printf 'blue' > "$work/env-custom/COLOUR"
printf 'file:///tmp/app/repository.git#other' > "$work/env-custom/BUILDPACK_URL"
also-custom() { logged custom "Custom buildpack: blue"; }
example custom custom "Directory listing" "$work/apps/custom"

# --- Dependencies that need no registry -------------------------------------------------------------

# Go: a module beside the app that go.mod replaces, and a vendored one. Python serves what they say: Go's own
# server would be compiled anew for each.
go_main() {
    printf 'package main\n\nimport (\n"os"\n"syscall"\n\n"example.com/greeting"\n)\n\nfunc main() {
_ = os.WriteFile("index.html", []byte(greeting.Of("%s")), 0o644)
_ = syscall.Exec("/usr/bin/python3", []string{"python3", "-m", "http.server", os.Getenv("PORT")}, os.Environ())\n}\n' "$1"
}
go_greeting=$'package greeting\n\nfunc Of(name string) string { return "greetings from " + name }'
app go-replace go.mod $'module example.com/go-replace\n\ngo 1.22\n\nrequire example.com/greeting v0.0.0\n\nreplace example.com/greeting => ./greeting' \
    main.go "$(go_main go-replace)" greeting/go.mod $'module example.com/greeting\n\ngo 1.22' greeting/greeting.go "$go_greeting"
example go-replace go "greetings from go-replace" "$work/apps/go-replace"
app go-vendor go.mod $'module example.com/go-vendor\n\ngo 1.22\n\nrequire example.com/greeting v1.2.3' \
    main.go "$(go_main go-vendor)" vendor/example.com/greeting/greeting.go "$go_greeting" \
    vendor/modules.txt $'# example.com/greeting v1.2.3\n## explicit; go 1.22\nexample.com/greeting'
also-go-vendor() { logged go-vendor "Using the vendored modules"; }
example go-vendor go "greetings from go-vendor" "$work/apps/go-vendor"

# Ruby: a gem in a folder of the app, and one packed in vendor/cache.
ruby_server='require "socket"
require "greeting"
server = TCPServer.new("", ENV["PORT"].to_i)
loop do
  client = server.accept
  while (line = client.gets) && line != "\r\n"; end
  client.write "HTTP/1.0 200 OK\r\n\r\n", Greeting.of(File.basename(__FILE__))
  client.close
end'
gemspec=$'Gem::Specification.new do |gem|\n  gem.name = "greeting"\n  gem.version = "1.2.3"\n  gem.summary = "x"\n  gem.authors = ["x"]\n  gem.files = ["lib/greeting.rb"]\nend'
gem_code='module Greeting; def self.of(name) = "greetings from #{name} #{Gem.loaded_specs["greeting"].version}"; end'
app ruby-path Gemfile $'source "https://rubygems.org"\ngem "greeting", path: "gems/greeting"' \
    Gemfile.lock $'PATH\n  remote: gems/greeting\n  specs:\n    greeting (1.2.3)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  greeting!\n\nBUNDLED WITH\n   2.3.15' \
    Procfile 'web: bundle exec ruby path.rb' path.rb "$ruby_server" gems/greeting/greeting.gemspec "$gemspec" gems/greeting/lib/greeting.rb "$gem_code"
example ruby-path ruby "greetings from path.rb 1.2.3" "$work/apps/ruby-path"
app ruby-vendor Gemfile $'source "https://rubygems.org"\ngem "greeting"' \
    Gemfile.lock $'GEM\n  remote: https://rubygems.org/\n  specs:\n    greeting (1.2.3)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  greeting\n\nBUNDLED WITH\n   2.3.15' \
    Procfile 'web: bundle exec ruby vendor.rb' vendor.rb "$ruby_server"
# The gem is packed by the stack's own Ruby.
if wanted ruby-vendor; then
    container=$(docker create --label "stacktest=$$" "$image" bash -c \
        'cd /tmp/gem && gem build greeting.gemspec')
    tar -C "$work/apps/ruby-path/gems/greeting" --owner=10001 --group=10001 -cf - --transform 's|^\.|gem|' . | docker cp - "$container:/tmp" > /dev/null
    docker start --attach "$container" > "$work/gem.log" 2>&1
    mkdir -p "$work/apps/ruby-vendor/vendor/cache"
    docker cp "$container:/tmp/gem/greeting-1.2.3.gem" "$work/apps/ruby-vendor/vendor/cache/" > /dev/null ||
        not_ok "a gem is packed" "$work/gem.log"
    docker rm "$container" > /dev/null
fi
also-ruby-vendor() { logged ruby-vendor "Unchanged since the last build"; }
example ruby-vendor ruby "greetings from vendor.rb 1.2.3" "$work/apps/ruby-vendor"

# PHP: a Composer package in a folder of the app.
app php-path composer.json '{"repositories": [{"type": "path", "url": "packages/greeting", "options": {"symlink": false}}, {"packagist.org": false}],
    "require": {"example/greeting": "1.2.3"}, "scripts": {"compile": "echo compiled > compiled.txt"}}' \
    packages/greeting/composer.json '{"name": "example/greeting", "version": "1.2.3", "autoload": {"psr-4": {"Greeting\\": "src/"}}}' \
    packages/greeting/src/Words.php '<?php namespace Greeting; class Words { static function of($name) { return "greetings from $name"; } }' \
    public/index.php '<?php require "../vendor/autoload.php"; echo Greeting\Words::of("php-path"), " ", file_get_contents("../compiled.txt");'
example php-path php "greetings from php-path compiled" "$work/apps/php-path"

# Java: the app's own wrapper runs, here one that hands over to the stack's Maven with the stack's plugins.
mkdir -p "$work/apps/java-wrapper"
cp -R "$examples/java-hello/." "$work/apps/java-wrapper"
app java-wrapper mvnw $'#!/bin/sh\necho "wrapper with $*"\ncp -rs /usr/share/maven-repo /tmp/maven-repo\nexec mvn -o "$@" -Dmaven.repo.local=/tmp/maven-repo'
also-java-wrapper() { logged java-wrapper "Using the app's Maven wrapper" "wrapper with -B -ntp"; }
example java-wrapper java "Hello from java-hello" "$work/apps/java-wrapper"

# --- Failures --------------------------------------------------------------------------------------

app nothing notes.txt hello
fails nothing "$work/apps/nothing" "No buildpack fits this app" "package.json" "Gemfile" "index.html"

app no-buildpack Procfile 'web: true'
fails no-buildpack "$work/apps/no-buildpack" "There is no buildpack 'heroku/cobol'" "heroku/python" -- --env BUILDPACK_URL=heroku/cobol
fails bad-url "$work/apps/no-buildpack" "names no buildpack" -- --env 'BUILDPACK_URL=--upload-pack=touch:/tmp/x'
fails lost-url "$work/apps/no-buildpack" "could not be fetched" -- --env BUILDPACK_URL=file:///nowhere/at/all.git

app bad-python requirements.txt 'skypanel-no-such-package==1.0'
fails bad-python "$work/apps/bad-python" "Could not install the dependencies in requirements.txt" "'skypanel-no-such-package'"
app bad-python-version requirements.txt 'flask==99.0'
fails bad-python-version "$work/apps/bad-python-version" "No version of the Python package 'flask==99.0'"
app old-python requirements.txt 'flask' runtime.txt python-2.7.18
fails old-python "$work/apps/old-python" "runtime.txt asks for Python 2.7.18"
app new-python pyproject.toml $'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.13"\ndependencies = ["itsdangerous"]\n[build-system]\nrequires = ["setuptools"]' x.py ''
fails new-python "$work/apps/new-python" "this stack has Python 3.11"

app bad-node package.json '{"dependencies": {"skypanel-no-such-package": "1.0.0"}}'
fails bad-node "$work/apps/bad-node" "The npm package 'skypanel-no-such-package@1.0.0' was not found"
app bad-node-version package.json '{"dependencies": {"ms": "99.0.0"}}'
fails bad-node-version "$work/apps/bad-node-version" "No version of the npm package 'ms@99.0.0'"
app bad-engine package.json '{"engines": {"node": "999.x"}}'
fails bad-engine "$work/apps/bad-engine" "Could not install Node.js 999.x"
app broken-json package.json '{"dependencies": '
fails broken-json "$work/apps/broken-json" "package.json is not valid JSON"
app two-locks package.json '{}' package-lock.json '{}' yarn.lock ''
fails two-locks "$work/apps/two-locks" "several lockfiles"
app bad-build package.json '{"scripts": {"build": "exit 3"}}'
fails bad-build "$work/apps/bad-build" "Could not run the script 'build' of package.json"

app bad-go go.mod $'module example.com/x\n\ngo 1.22' main.go $'package main\n\nimport "example.com/missing/thing"\n\nfunc main() { thing.Do() }'
fails bad-go "$work/apps/bad-go" "example.com/missing/thing"
app bad-ruby Gemfile $'source "https://rubygems.org"\nruby "2.7.0"\ngem "rack"'
fails bad-ruby "$work/apps/bad-ruby" "The Gemfile asks for Ruby 2.7.0; this stack has Ruby 3.1"
app bad-static static.json '{"root": "../.."}'
fails bad-static "$work/apps/bad-static" "is not a folder of the app"
app bad-php composer.json '{"require": '
fails bad-php "$work/apps/bad-php" "composer.json is not valid JSON"

app hungry requirements.txt '' bin/post_compile $'#!/bin/bash\nexec python3 -c "x = bytearray(400 << 20); print(len(x))"'
fails hungry "$work/apps/hungry" "ran out of memory" -- --memory 128m --memory-swap 128m
