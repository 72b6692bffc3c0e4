#!/usr/bin/env bash
# Failures per 1 000 meter-years, survival and under-registration of a fleet by the dice, against a real nilod; quality.py reckons all of it again by itself.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }

seed=${NILO_SEED:-$RANDOM}
nilod_start --virtual-clock 2026-03-02T02:00:00Z --tz Asia/Shanghai
python3 "$source/tests/e2e/quality.py" "$seed" || { echo "again: NILO_SEED=$seed $0"; exit 1; }
said=$(nilo quality list --by supplier --format csv) && [[ $said == name,meters,service_meter_years* ]] || { echo "FAIL  nilo quality list: $said"; exit 1; }
said=$(nilo quality survival LX --format csv) && [[ $said == age_days,at_risk* ]] || { echo "FAIL  nilo quality survival: $said"; exit 1; }
said=$(nilo quality accuracy UNDER --format csv) && [[ $said == years,throughput_m3,missed_pct* ]] || { echo "FAIL  nilo quality accuracy: $said"; exit 1; }
! nilo quality accuracy NOBODY > /dev/null 2>&1 || { echo 'FAIL  a model that nobody knows has a curve'; exit 1; }
said=$(nilo quality supplier 宁波 --model LX --format csv) && [[ $said == age_days,at_risk* ]] || { echo "FAIL  nilo quality supplier: $said"; exit 1; }
nilod_stop
