#!/usr/bin/env bash
# Day lists of crews and orders by rule over a real nilod: planned, listed, shown in three forms, printed; made by hand and by themselves.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# A table in which one rule works by itself.
sed 's/^rule never-verified$/&\nauto yes/' "$source/server/fleet/orders/default.rules" > auto.rules
printf 'name x\n' > wrong.rules
if "$build/nilod" --store other --coap off --http 127.0.0.1:0 --order-rules wrong.rules > /dev/null 2> said || ! grep -q 'wrong.rules: line 2' said; then
    echo "a table that is not whole was taken:"
    cat said
    exit 1
fi
nilod_start --virtual-clock 2026-03-02T02:00:00Z --tz Asia/Shanghai --order-rules auto.rules || exit 1
python3 "$source/tests/e2e/day_lists.py" "$source/tests/xlsx_dump.py" || exit 1
nilod_stop
