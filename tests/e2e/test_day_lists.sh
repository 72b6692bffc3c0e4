#!/usr/bin/env bash
# Day lists of crews and orders by rule over a real nilod: planned, listed, shown in three forms, printed; made by hand and by themselves; taken out and brought in.
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

# Lists go out and come in with their orders, and a number that was given is not given again.
plan() {
    nilo order create repair --point "$1" > /dev/null || exit 1
    said=$(nilo tour plan 2027-12-30 --crew K1 --kinds repair --tours 1) && [[ $said == *"\"tour\":\"T-2027-12-30-000$2\""* ]] || { echo "$said"; exit 1; }
}
lists() { nilo tour list --format csv && nilo tour list --crew K1 --format csv; }
plan P3 1
lists > before && nilo export fleet > /dev/null || exit 1
nilod_stop && nilo store check --store store > said || { cat said; exit 1; }
mv store first
nilod_start --virtual-clock 2027-12-19T00:00:00Z --tz Asia/Shanghai || exit 1
nilo import --all fleet > said || { cat said; exit 1; }
lists > after
diff before after || { echo "the lists are not those that went out"; exit 1; }
plan P4 2
nilod_stop && nilo store check --store store > said || { cat said; exit 1; }
echo "ok    lists_go_out_and_come_in_with_their_orders"
