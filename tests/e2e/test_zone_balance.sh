#!/usr/bin/env bash
# Zones' water balances against a real nilod; zone_balance.py reckons all of them by itself.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }

seed=${NILO_SEED:-$RANDOM}
nilod_start --virtual-clock 2026-03-10T00:00:00Z --tz Asia/Shanghai
PYTHONDONTWRITEBYTECODE=1 python3 "$source/tests/e2e/zone_balance.py" "$seed" || { echo "again: NILO_SEED=$seed $0"; exit 1; }
said=$(nilo zone balance C5 --from 2026-03-01T16:00:00Z --to 2026-03-02T16:00:00Z --format json) && has "$said" '"parts":[{"zone":"C0"' || exit 1
nilod_stop
