# The cases of test.sh, which sources this file.
# shellcheck shell=bash

import_image

example python-hello python "Hello from Skypanel"
example python-flask python "Hello from python-flask"
example multi-process python "Hello from multi-process"
example node-express node.js "Hello from node-express"
example go-hello go "Hello from go-hello"
example ruby-rack ruby "Hello from ruby-rack"
example php-hello php "Hello from php-hello"
example static-site static "Hello from static-site"
example procfile-only procfile "Hello from procfile-only"
