# frozen_string_literal: true

# The smallest Rack app on Skypanel; the Ruby buildpack's default web process serves it.
run ->(_env) { [200, { "Content-Type" => "text/plain" }, ["Hello from ruby-rack\n"]] }
