#!/usr/bin/env bash
# What falls due, in lists and counted, of a fleet by the dice against a real nilod; due.py reckons every date and every count by itself.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }

seed=${NILO_SEED:-$RANDOM}
nilod_start --virtual-clock 2026-03-02T02:00:00Z --tz Asia/Shanghai
python3 "$source/tests/e2e/due.py" "$seed" || { echo "again: NILO_SEED=$seed $0"; exit 1; }
said=$(nilo verification summary --from 2026-01-01 --to 2026-12-31 --by month,dn --format csv) &&
    [[ $said == month,zone,route,dn,fitted,store,overdue,never_verified* ]] || { echo "FAIL  nilo verification summary: $said"; exit 1; }
nilod_stop
