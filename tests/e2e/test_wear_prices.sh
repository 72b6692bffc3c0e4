#!/usr/bin/env bash
# What a model's wear does to the list of replacements, from a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

export TZ=UTC
# readings METER FROM-DAY DAYS: one a day of 2025 on (0: 1 January), 400 L a day since then.
readings() { awk -v m="$1" -v from="$2" -v days="$3" 'BEGIN { print "serial,time,index_l"; for (d = from; d < from + days; d++) printf "%s,%s,%d\n", m, strftime("%Y-%m-%dT16:00:00Z", 1735660800 + d * 86400, 1), 1000000 + d * 400 }' | nilo import readings - > /dev/null; }
listed() { nilo replacement list --format json | jq -r '.rows[] | select(.serial == "M1") | '"$1"; }

an_unpriced_model_moves_no_money() {
    nilod_start --virtual-clock 2026-01-05T09:00:00+08:00
    { printf 'serial,model,dn,q3,verified_on\nM1,LX,15,2.5,2019-03-01\n' | nilo import meters - && printf 'point,use_class\nP1,residential\n' | nilo import points - && printf 'point,serial,from,start_index_l\nP1,M1,2025-01-01T00:00:00+08:00,0\n' | nilo import fittings -; } > world.log || { cat world.log; return 1; }
    readings M1 0 365 && nilo settle || return 1
    is '0 legal,cost' "$(listed '"\(.loss_m3_month) \([.reasons[].code] - ["overdue"] | join(","))"')"
}

# 1 145 m³ of 1 145.6 or so, in steps of a twentieth: 2 % by each 1 000 m³ is about 2.3 %, of some 3 140 L a day.
what_meters_of_the_model_miss_is_a_price_like_others() {
    exits 0 nilo quality accuracy LX && exits 0 nilo import prices - <<< $'item,of,money,source\nwear,LX,2,learned from 40 exchanges' || return 1
    is 'wear' "$(listed '[.reasons[].code | select(. == "wear")] | join(",")')" || return 1
    is true "$(listed '(.reasons[] | select(.code == "wear") | .missed_pct > 2.1 and .missed_pct < 2.4 and .volume_m3 > 1080 and .volume_m3 < 1147) and .loss_m3_month > 1.9 and .loss_m3_month < 2.5 and .confidence == 0.8')" || return 1
    has "$(listed '.reasons[] | select(.code == "wear") | .text_en + .text_zh')" 'meters of its model miss about 2.' '同型号水表累计'
}

the_list_knows_when_more_has_run_through() {
    local before
    before=$(listed .loss_m3_month)
    nilo clock set 2026-12-05T09:00:00+08:00 > /dev/null && readings M1 365 330 && nilo settle || return 1
    is true "$(listed "(.reasons[] | select(.code == \"wear\") | .volume_m3 > 1200) and .loss_m3_month != $before")" || return 1
    exits 0 nilo import prices - <<< $'item,of,money,source\nwear,LX,0,nobody knows' && is 0 "$(listed .loss_m3_month)"
}

an_amount_below_nothing_is_no_price() {
    exits 1 nilo import prices - <<< $'item,of,money\nwater,residential,-1' && has "$said" 'from 0' || return 1
    exits 0 nilo field list
}

# Nobody would see that it changes nothing.
a_price_of_what_nothing_is_reckoned_with_is_refused() {
    exits 1 nilo import prices - <<< $'item,of,money\nwater,residental,3' && has "$said" 'residental' && has "$said" 'residential, commercial' || return 1
    exits 1 nilo import prices - <<< $'item,of,money\nlabour,15,3' && has "$said" 'water, change, edit or wear' || return 1
    exits 1 nilo import prices - <<< $'item,of,money\nwear,LX,51' && has "$said" 'from 0 to 50'
}

hold an_unpriced_model_moves_no_money what_meters_of_the_model_miss_is_a_price_like_others the_list_knows_when_more_has_run_through an_amount_below_nothing_is_no_price a_price_of_what_nothing_is_reckoned_with_is_refused
hold_end
