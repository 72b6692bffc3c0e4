#!/usr/bin/env bash
# What was settled in a year (the base of annual tiers), against a real nilod; tier.py adds up determinants and adjustments by itself.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }

seed=${NILO_SEED:-$RANDOM}
nilod_start --virtual-clock 2025-06-01T00:00:00Z --tz Asia/Shanghai
PYTHONDONTWRITEBYTECODE=1 python3 "$source/tests/e2e/tier.py" "$seed" || { echo "again: NILO_SEED=$seed $0"; exit 1; }
said=$(nilo tier point H --year 2025 --format json) && has "$said" '"m3":79' || exit 1
said=$(nilo tier account A-H --year 2025 --format json) && has "$said" '"m3":79' || exit 1
said=$(nilo tier route R2 --year 2025 --format csv) && has "$said" 'H,A-H,2025,79,79,0,' || exit 1
nilod_stop
