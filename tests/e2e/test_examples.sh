#!/usr/bin/env bash
# Runs every "$ nilo ...", "$ curl ...", "$ mosquitto_pub ..." and "$ printf ... | coap-client-openssl ..." of README.md, its guides and the man pages
# against a nilod and a broker of its own: an example that fails is a lie.
#
# What examples may name: the files meters.csv, points.csv, fittings.csv, readings.csv, routes.csv and zones.csv; meter 10000017 at
# point P-1 on route R-1 in zone Z-1; the folders store, backup and town; coap://127.0.0.1, coaps://127.0.0.1 and the broker at
# -h 127.0.0.1, which have other ports here.
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

echo 'water runs downhill' > password.txt
broker='' broker_port=''
broker_end() { [[ -z $broker ]] || { kill "$broker" && wait "$broker"; } || true; }
trap 'broker_end; nilod_end' EXIT
for ((broker_port = 22883; broker_port < 22983; broker_port++)); do
    printf 'listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n' "$broker_port" > broker.conf
    PATH=$PATH:/usr/sbin mosquitto -c broker.conf > broker.log 2>&1 &
    broker=$!
    until (exec 4<> "/dev/tcp/127.0.0.1/$broker_port") 2>/dev/null || ! kill -0 "$broker" 2>/dev/null; do read -r -t 0.02 <> <(:) || true; done
    kill -0 "$broker" 2>/dev/null && break
done
NILOD_COAPS=127.0.0.1:0 nilod_start --virtual-clock 2026-03-10T00:00:00+08:00 --mqtt "mqtt://127.0.0.1:$broker_port"
until curl -s "$NILO_SERVER/metrics" | grep -q '^nilo_mqtt_connected 1'; do kill -0 "$nilod"; done

# What an example builds on is there, whatever the page's order.
for list in routes zones meters points fittings readings; do nilo import "$list" "$list.csv" > /dev/null; done
nilo settle

# In the order in which README names them: one builds on what another registered.
mapfile -t guides < <(sed -nE "s#.*\((deploy/doc/[a-z]+\.md)\) \|\$#$source/\1#p" "$source/README.md")
ran=0 failed=0
while IFS= read -r example; do
    ran=$((ran + 1))
    example=${example//coap:\/\/127.0.0.1\//coap:\/\/$coap\/}
    example=${example//coaps:\/\/127.0.0.1\//coaps:\/\/$coaps\/}
    example=${example//-h 127.0.0.1/-h 127.0.0.1 -p $broker_port}
    input=/dev/null
    if [[ $example == 'nilo user '* ]]; then input=password.txt; fi # asks for one
    if ! said=$(bash -c "set -o pipefail; $example" 2>&1 < "$input") || [[ $said =~ ^[45]\.[0-9][0-9] ]]; then
        failed=$((failed + 1))
        printf 'failed: %s\n%s\n' "$example" "$said"
    fi
done < <(sed -nE 's/^ *\$ ((nilo|curl|mosquitto_pub|printf) .*)$/\1/p' "$source"/deploy/man/*.1 "$source/README.md" "${guides[@]}" | sed 's/\\e/\\/g')
# What was sent by these ways has arrived.
readings() { nilo reading list "$1" --from 2026-02-28T00:00:00Z --to 2026-03-03T00:00:00Z --format csv | tail -n +2 | wc -l; }
for expected in NB-1=2 LW-1=3 33000000012345=1; do
    for ((i = 0; i < 500; i++)); do
        if [[ $(readings "${expected%=*}") == "${expected#*=}" ]]; then break; fi
    done
    [[ $i -lt 500 ]] || { failed=$((failed + 1)); echo "failed: ${expected%=*} has $(readings "${expected%=*}") readings, not ${expected#*=}"; }
done
echo "$ran examples, $failed failed"
[[ $ran -gt 0 && ${#guides[@]} -gt 0 && $failed -eq 0 ]]
