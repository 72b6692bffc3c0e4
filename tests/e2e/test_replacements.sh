#!/usr/bin/env bash
# The list of replacements and its budget over a real nilod, held against a plain reckoning of the same.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

nilod_start --virtual-clock 2026-03-01T04:00:00Z --tz Asia/Shanghai || exit 1
python3 "$source/tests/e2e/replacements.py" || exit 1
nilod_stop
