#!/usr/bin/env bash
# nilo order against a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

an_order_is_made_given_begun_and_done() {
    exits 0 nilo order create replace --point P-1 --reason 周期 --priority high && has "$said" W00000001 M-1 open || return 1
    exits 0 nilo order assign crew-1 W00000001 && has "$said" crew-1 || return 1
    exits 0 nilo order start W00000001 && has "$said" started || return 1
    exits 1 nilo order 'done' W00000001 && has "$said" new_serial || return 1
    exits 0 nilo order 'done' W00000001 --index 20 --new M-2 --new-index 0.5 --photo a.jpg --seal S1 --lon 120.1 --lat 30.2 --note ok && has "$said" 'done' M-2 || return 1
    exits 0 nilo point show P-1 && has "$said" M-2 || return 1
    exits 0 nilo order show W00000001 --format json && has "$said" '"history"' '"who"' 周期 '"lon":120.1'
}

what_is_not_to_be_done_is_cancelled_with_its_reason() {
    exits 0 nilo order create read --serial M-3 && has "$said" W00000002 P-3 || return 1
    exits 2 nilo order cancel W00000002 || return 1
    exits 0 nilo order cancel W00000002 --note gone && has "$said" cancelled || return 1
    exits 1 nilo order cancel W00000002 --note again && has "$said" cancelled
}

many_orders_are_given_from_a_file() {
    for point in P-3 P-4; do exits 0 nilo order create inspect --point $point || return 1; done
    nilo order list --state open --format csv --show order | tail -n +2 > names
    exits 2 nilo order assign crew-1 || return 1
    exits 0 nilo order assign crew-1 --file names && has "$said" '2' || return 1
    exits 1 nilo order assign crew-1 W00000099 && has "$said" W00000099 || return 1
    exits 0 nilo order change W00000003 --assignee "" --priority urgent && has "$said" open urgent || return 1
    exits 0 nilo order list --assignee crew-1 --state assigned --format csv --show order && has "$said" W00000004 && ! has "$said" W00000003
}

what_was_found_is_told() {
    exits 2 nilo order 'done' W00000003 --found --nothing-found && has "$said" together || return 1
    exits 0 nilo order 'done' W00000003 --nothing-found --crew crew-1 && has "$said" 'done' || return 1
    exits 0 nilo meter history M-3 --format csv --show event,order && has "$said" inspect,W00000003 || return 1
    exits 0 nilo order 'done' W00000004 --result broken && exits 0 nilo meter show M-4 && has "$said" faulty || return 1
    exits 1 nilo order 'done' W00000004 --result sent && has "$said" 'done'
}

lists_speak_to_people() {
    exits 0 nilo order list --format table && has "$said" W00000001 replace 'done' || return 1
    exits 0 env LANG=zh_CN.UTF-8 nilo order list --format table && has "$said" 工单号 换表 已完成 || return 1
    exits 0 nilo order list --late false --format ndjson && has "$said" '"rows":4' || return 1
    exits 1 nilo order list --kind paint && has "$said" replace
}

a_refusal_tells_what_to_do() {
    exits 0 nilo order create read --point P-4 && exits 0 nilo import meters - <<< $'serial,dn,q3\nM-9,15,2.5' || return 1
    exits 0 nilo meter exchange P-4 --old M-4 --old-index 3 --new M-9 --new-index 0 --reason broken || return 1
    exits 1 nilo order 'done' W00000005 --index 4 && has "$said" M-9 'cancel it and make one' || return 1
    exits 1 nilo order make stuk && has "$said" stuk 'nilo order rules' || return 1
    exits 1 nilo meter list --state runing && has "$said" runing in-stock running scrapped
}

# ---- running ----

nilod_start --virtual-clock 2026-03-02T09:00:00+08:00
printf 'serial,dn,q3,verified_on,state\nM-1,15,2.5,2025-01-01,\nM-2,15,2.5,2026-01-01,in-stock\nM-3,15,2.5,2025-01-01,\nM-4,15,2.5,2025-01-01,\n' > meters.csv
printf 'point\nP-1\nP-3\nP-4\n' > points.csv
printf 'point,serial,from,start_index_l\nP-1,M-1,2026-01-01,0\nP-3,M-3,2026-01-01,0\nP-4,M-4,2026-01-01,0\n' > fittings.csv
printf 'crew\ncrew-1\n' > crews.csv
for list in meters points fittings crews; do exits 0 nilo import $list $list.csv || exit 1; done
exits 0 nilo meter event M-2 issue --document IS-1 --crew crew-1 || exit 1
claims=$(sed -nE 's/^([a-z_]+_[a-z_]+)\(\) \{$/\1/p' "$source/tests/e2e/test_nilo_order.sh" | grep -v '^nilod_')
hold $claims
hold_end
