# Skypanel's two commands, and the ones of those who change it. Each calls a script in infra/dev/, which can be run
# on its own and says at its top what it does.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help demo down clean-data test bench prepare build images stack edge fmt lint

help: ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## See it work: install what is missing, build, start, push an example app
	@infra/dev/prepare run
	@infra/dev/build release
	@infra/dev/images
	@infra/dev/demo

down: ## Stop everything the demo started; its data stays
	@infra/dev/down

clean-data: ## Stop it and remove its data: apps, database, images, keys
	@infra/dev/clean-data

test: ## See it proven: every check and test, as CI runs them
	@infra/dev/test

bench: ## Measure it: writes target/bench/results.json and a table
	@infra/dev/prepare bench
	@infra/dev/build release
	@infra/dev/images
	@infra/dev/bench

prepare: ## Install what building and testing need
	@infra/dev/prepare test

build: ## Build the programs, optimised
	@infra/dev/build release

images: stack edge ## Build both images

stack: ## Build the default stack, skypanel-12
	@infra/dev/images stack

edge: ## Build the edge image
	@infra/dev/images edge

fmt: ## Format the code
	@cargo fmt --all

lint: ## Format check, clippy and shellcheck
	@infra/dev/test format scripts lint
