#!/usr/bin/env bash
# Dates by condition beside the law's, against a real nilod (condition.py); its figures are those of a table of its own.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"
command -v python3 >/dev/null || { echo "python3 is absent: tools/install test brings it"; exit 1; }

sed -e 's/^throughput 1400 90/throughput 1000 30/' -e 's/^alarm tamper 7/alarm tamper 5/' "$source/server/fleet/defaults/cn.table" > own.table
NILOD_COAPS=off nilod_start --virtual-clock 2026-03-02T02:00:00Z --tz Asia/Shanghai --fleet-rules own.table
python3 "$source/tests/e2e/condition.py" "$coap" || exit 1
nilod_stop || exit 1
# What cannot be read is told with its line, and nothing starts.
sed -e 's/^throughput 1000 30/throughput a lot/' own.table > bad.table
said=$("$build/nilod" --store store --coap 127.0.0.1:0 --coaps off --http 127.0.0.1:0 --fleet-rules bad.table 2>&1) && { echo "FAIL  a bad table is taken"; exit 1; }
[[ $said == *"bad.table: line "*'found "a", expected a whole number'* ]] || { echo "FAIL  a bad table's line is not told: $said"; exit 1; }
echo "ok    a_table_that_does_not_read_is_told_with_its_line"
