#!/usr/bin/env bash
# Installs what the tests need on a Debian machine with Rust, Node and root, and runs all of them.
# `tests/run.sh --no-install` leaves the installing out.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

# Selects one package's tests: naming the package would build its dependencies with other features than the whole workspace has.
tests_in() { printf -- '--test %s ' $(basename -s .rs "$1"/*.rs); }

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
# Each package by its own manifest: what the other one asks of a common dependency must not hide what is missing. Whatever is
# built from here on is built for the whole workspace at once, so that each dependency is built with one set of features.
cargo clippy -p mizu-live --all-targets --all-features --quiet -- -D warnings
cargo clippy -p mizu-cli --all-targets --quiet -- -D warnings

step "each feature alone"
# A package of its own depends on the library as an application does. It asks for all that procedural macros need with any of the
# features, or each of the checks would build all macros anew, and all that uses them. None of this reaches the library itself.
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
mkdir -p "$target/features"
cp Cargo.lock "$target/features"
: >"$target/features/lib.rs"
cat >"$target/features/Cargo.toml" <<END
[workspace]
[package]
name = "features"
edition = "2024"
[lib]
path = "lib.rs"
[dependencies]
mizu-live = { path = "$PWD", default-features = false }
[build-dependencies]
syn = { version = "3", features = ["extra-traits", "fold", "full", "visit", "visit-mut"] }
syn2 = { package = "syn", version = "2", features = ["extra-traits", "full", "visit", "visit-mut"] }
[profile.dev]
debug = "line-tables-only"
[profile.dev.package."*"]
debug = false
END
for feature in "" testing sqlite postgres redis nats; do
  CARGO_TARGET_DIR=$target cargo check --quiet --manifest-path "$target/features/Cargo.toml" ${feature:+--features "mizu-live/$feature"}
done

step "documentation, warnings denied"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --all-features

step "unit and integration tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --workspace --all-features -E 'package(mizu-live)'
else
  # shellcheck disable=SC2046
  cargo test --workspace --all-features --lib $(tests_in tests)
fi

step "documentation examples"
cargo test --quiet --workspace --all-features --doc

step "the command line: its tests, and both templates generated and tested"
# shellcheck disable=SC2046
cargo test --quiet --workspace --all-features --bin mizu $(tests_in cli/tests)

step "the runtime in Chromium"
npm run --silent test:browser --prefix runtime-js

step "the whole stack in Chromium"
cargo build --quiet --workspace --examples --all-features
node --test --test-concurrency=2 tests/browser/

step "many nodes are one: PostgreSQL, NATS, nodes that are killed"
node --test tests/cluster/

step "the JavaScript client in a simulation: faults, a server that is killed, SQLite and PostgreSQL"
node --test tests/sync_client/

step "fuzz targets, some seconds each"
tests/fuzz/run 10

step "benchmarks, a short run: the harnesses work"
# Not optimized: it is built from what the tests have built, and nobody looks at the figures.
cargo bench --quiet --workspace --profile dev --all-features --bench report -- --quick
node benches/browser/patch.mjs --quick
node benches/browser/sync.mjs --quick

step "all passed"
