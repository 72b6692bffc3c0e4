#!/usr/bin/env bash
# nilo meter event, events, exchange and history against a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

a_meter_goes_from_the_delivery_to_a_customer() {
    exits 0 nilo meter event M-1 receive --document DN-1 --at 2026-03-01T10:00:00+08:00 --depot North && has "$said" received || return 1
    exits 0 nilo meter event M-1 verify --certificate C-1 --verified-on 2026-03-01 --at 2026-03-01T11:00:00+08:00 || return 1
    exits 0 nilo meter event M-1 stock --at 2026-03-01T12:00:00+08:00 || return 1
    exits 0 nilo meter event M-1 issue --document IS-1 --crew crew-1 --at 2026-03-01T13:00:00+08:00 || return 1
    exits 0 nilo meter event M-1 install --point P-1 --index 12.5 --at 2026-03-01T14:00:00+08:00 --seal S-9 && has "$said" running
}

a_refusal_says_what_is_missing_and_changes_nothing() {
    exits 1 nilo meter event M-2 issue && has "$said" document crew || return 1
    exits 1 nilo meter event M-2 install --point P-2 --index 1 && has "$said" in-stock issued || return 1
    exits 2 nilo meter event M-2 install --colour red
}

an_exchange_needs_all_its_facts_and_is_one_act() {
    exits 2 nilo meter exchange P-1 --old M-1 --new M-2 --old-index 20 --new-index 0 && has "$said" --reason || return 1
    exits 0 nilo meter event M-2 issue --document IS-2 --crew crew-1 || return 1
    exits 0 nilo meter exchange P-1 --old M-1 --old-index 20 --new M-2 --new-index 0 --reason periodic --crew crew-1 || return 1
    exits 0 nilo meter show M-1 && has "$said" removed || return 1
    exits 0 nilo point show P-1 && has "$said" M-2
}

a_history_is_a_table_of_events() {
    exits 0 nilo meter history M-1 --format csv --show event,state && has "$said" receive,received install,running remove,removed
}

a_history_tells_who_recorded_what() {
    exits 0 nilo token create --role store --name eva && echo "$said" > eva.token || return 1
    exits 0 nilo meter event M-3 inspect --result pass --token-file eva.token || return 1
    exits 0 nilo meter event M-3 verify --certificate C-3 --verified-on 2026-03-01 || return 1
    exits 0 nilo meter history M-3 --format csv --show event,who && has "$said" inspect,eva verify,admin
}

many_meters_are_one_act() {
    printf 'M-3\n M-4 \n\n' > serials
    exits 0 nilo meter events reject serials --note "3 of 20" && has "$said" rejected || return 1
    printf 'M-3\nM-1\n' > serials
    exits 1 nilo meter events scrap serials --document SCR-1 && has "$said" M-1 removed || return 1
    exits 0 nilo meter show M-3 && has "$said" rejected || return 1
    exits 0 nilo meter events scrap - --document SCR-1 <<< M-3 || return 1
    exits 1 nilo meter events scrap no-such-file --document SCR-1 && has "$said" no-such-file
}

# ---- running ----

nilod_start --virtual-clock 2026-03-02T09:00:00+08:00
printf 'serial,dn,q3,verified_on,state\nM-1,15,2.5,,\nM-2,15,2.5,2026-01-01,in-stock\nM-3,15,2.5,,received\nM-4,15,2.5,,received\n' > meters.csv
printf 'point\nP-1\nP-2\n' > points.csv
exits 0 nilo import meters meters.csv && exits 0 nilo import points points.csv || exit 1
claims=$(sed -nE 's/^([a-z_]+_[a-z_]+)\(\) \{$/\1/p' "$source/tests/e2e/test_nilo_meter.sh" | grep -v '^nilod_')
hold $claims
hold_end
