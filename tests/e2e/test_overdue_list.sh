#!/usr/bin/env bash
# What was overdue on an earlier day, of more meters than are kept at once, against a real nilod.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

meters=70000 # twice what get_due.c keeps, and more

# Dates and serials in no order: the meter's number times a prime.
fleet() {
    awk -v n=$meters -v what="$1" 'BEGIN {
        if (what == "meters") print "serial,dn,q3,verified_on"
        if (what == "points") print "point,zone"
        if (what == "fittings") print "point,serial,from,start_index_l"
        for (i = 1; i <= n; i++) {
            k = i * 7919 % 100003
            if (what == "meters") printf "M%06d,%d,2.5,%s\n", k, k % 100 ? 15 : 20, k % 50 ? sprintf("20%02d-%02d-%02d", 10 + k % 9, 1 + k % 12, 1 + k % 28) : ""
            if (what == "points") printf "P%06d,%s\n", k, k % 1000 ? "" : "Z"
            if (what == "fittings") printf "P%06d,M%06d,2019-01-01T00:00:00Z,0\n", k, k
        }
    }'
}

all_of_them_are_told_once_and_in_order() {
    nilo verification overdue --on 2025-06-01 --format csv --show legal_due,serial | tail -n +2 > listed
    is $meters "$(wc -l < listed)" || return 1
    # Those never verified, without a date, come last.
    sed 's/^,/9999-99-99,/' listed | LC_ALL=C sort -c || return 1
    is $meters "$(cut -d, -f2 listed | sort -u | wc -l)"
}

pages_go_on_where_the_one_before_ended() {
    local after='' page rows=0
    : > paged
    while exits 0 nilo verification overdue --on 2025-06-01 --limit 33000 --format json ${after:+--after "$after"}; do
        page=$said
        grep -oE '"serial":"[^"]*"' <<< "$page" | cut -d'"' -f4 >> paged
        after=$(grep -oE '"next":"[^"]*"' <<< "$page" | cut -d'"' -f4)
        rows=$((rows + 1))
        [[ $after ]] || break
    done
    is 3 $rows && cmp paged <(cut -d, -f2 listed)
}

filters_leave_the_order() {
    is "$(grep -c ',Z$' points.csv)" "$(nilo verification overdue --on 2025-06-01 --zone Z --format csv | tail -n +2 | wc -l)" || return 1
    nilo verification overdue --on 2025-06-01 --dn 20 --format csv --show serial | tail -n +2 > small
    cmp small <(cut -d, -f2 listed | grep '00$')
}

nilod_start --virtual-clock 2026-03-02T02:00:00Z
for list in meters points fittings; do
    fleet $list > $list.csv
    exits 0 nilo import $list $list.csv || exit 1
done
hold all_of_them_are_told_once_and_in_order pages_go_on_where_the_one_before_ended filters_leave_the_order
hold_end
