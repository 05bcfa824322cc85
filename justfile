# Shortcuts: `just` lists them. Nothing here does what the scripts do not.

_default:
    @just --list

# A container group behind HTTPS on this machine
quickstart *options:
    scripts/quickstart {{options}}

# Everything, as continuous integration runs it; or only: cargo, scripts, clients
test *parts:
    scripts/test {{parts}}

# Long counts, for docs/measurements.md
soak *filter:
    scripts/soak {{filter}}

# The quick loop: format, lint, unit tests
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test --lib --test tidy
