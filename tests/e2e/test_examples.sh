#!/usr/bin/env bash
# Runs every "$ nilo ..." of README.md and the man pages against a nilod of its own: an example that fails is a lie.
#
# What examples may name: the files meters.csv, points.csv, fittings.csv, readings.csv, routes.csv and zones.csv; meter 10000017 at
# point P-1 on route R-1 in zone Z-1; the folders store, backup and town.
set -euo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

printf 'route,name\nR-1,North\n' > routes.csv
printf 'zone,name\nZ-1,North\n' > zones.csv
printf 'serial,dn,q3\n10000017,15,2.5\n' > meters.csv
printf 'point,use_class,zone,route,address\nP-1,residential,Z-1,R-1,杭州路 1 号\n' > points.csv
printf 'point,serial,from,start_index_l\nP-1,10000017,2026-03-01T00:00:00+08:00,0\n' > fittings.csv
{
    echo serial,time,index_l
    for day in 01 02 03; do
        for hour in 00 06 12 18; do echo "10000017,2026-03-${day}T$hour:00:00+08:00,$((10#$day * 100 + 10#$hour))"; done
    done
} > readings.csv

nilod_start --virtual-clock 2026-03-10T00:00:00+08:00

# What an example builds on is there, whatever the page's order.
for list in routes zones meters points fittings readings; do nilo import "$list" "$list.csv" > /dev/null; done
nilo settle

ran=0 failed=0
while IFS= read -r example; do
    ran=$((ran + 1))
    if ! said=$(bash -c "set -o pipefail; $example" 2>&1 < /dev/null); then
        failed=$((failed + 1))
        printf 'failed: %s\n%s\n' "$example" "$said"
    fi
done < <(sed -nE 's/^ *\$ (nilo .*)$/\1/p' "$source"/deploy/man/*.1 "$source"/README.md 2>/dev/null | sed 's/\\e/\\/g')
echo "$ran examples, $failed failed"
[[ $ran -gt 0 && $failed -eq 0 ]]
