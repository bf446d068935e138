#!/usr/bin/env bash
# Installs what the tests need on a Debian machine with Rust, Node and root, and runs all of them.
# `tests/run.sh --no-install` leaves the installing out.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

if [ "${1:-}" != "--no-install" ]; then
  step "install: Chromium, a C++ compiler for the fuzz targets, PostgreSQL, Redis, NATS, npm packages from the lock file"
  if ! command -v chromium >/dev/null || ! command -v g++ >/dev/null || ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ||
    ! command -v redis-server >/dev/null || ! command -v nats-server >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium g++ postgresql redis-server nats-server >/dev/null
  fi
  npm ci --prefix runtime-js --no-audit --no-fund --loglevel=error
fi

step "formatting"
cargo fmt --all --check

step "JavaScript: types, unit tests, size, dist is what src makes"
npm run --silent check --prefix runtime-js

step "clippy, warnings denied"
cargo clippy --workspace --all-targets --all-features --quiet -- -D warnings

step "each feature alone"
cargo check --quiet -p mizu-live --lib --no-default-features
cargo check --quiet -p mizu-live --lib --no-default-features --features testing
cargo check --quiet -p mizu-live --lib --no-default-features --features sqlite
cargo check --quiet -p mizu-live --lib --no-default-features --features postgres
cargo check --quiet -p mizu-live --lib --no-default-features --features redis
cargo check --quiet -p mizu-live --lib --no-default-features --features nats

step "documentation, warnings denied"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --all-features

step "unit and integration tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run -p mizu-live --all-features
else
  cargo test -p mizu-live --all-features --lib --tests
fi

step "documentation examples"
cargo test --quiet -p mizu-live --all-features --doc

step "the command line: its tests, and both templates generated and tested"
cargo test --quiet -p mizu-cli

step "the runtime in Chromium"
npm run --silent test:browser --prefix runtime-js

step "the whole stack in Chromium"
cargo build --quiet --examples --all-features
node --test --test-concurrency=2 tests/browser/

step "many nodes are one: PostgreSQL, NATS, nodes that are killed"
node --test tests/cluster/

step "the JavaScript client in a simulation: faults, a server that is killed, SQLite and PostgreSQL"
node --test tests/sync_client/

step "fuzz targets, some seconds each"
tests/fuzz/run 10

step "benchmarks, a short run: the harnesses work"
cargo bench --quiet --all-features --bench report -- --quick
node benches/browser/sync.mjs --quick

step "all passed"
