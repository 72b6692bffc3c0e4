#!/usr/bin/env bash
# A town whose meters speak native, encrypted OMS, CJ/T 188 and LoRaWAN by way of a broker: every reading that a meter took and sent
# comes back, to the litre and the second, and nothing else.
set -euo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

broker=''
broker_end() { [[ -z $broker ]] || { kill "$broker" && wait "$broker"; } || true; }
trap 'broker_end; nilod_end' EXIT
for ((port = 23883; port < 23983; port++)); do
    printf 'listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n' "$port" > broker.conf
    PATH=$PATH:/usr/sbin mosquitto -c broker.conf > broker.log 2>&1 &
    broker=$!
    until (exec 4<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null || ! kill -0 "$broker" 2>/dev/null; do read -r -t 0.02 <> <(:) || true; done
    kill -0 "$broker" 2>/dev/null && break
done
nilod_start --virtual-clock 1990-01-01T00:00:00Z --mqtt "mqtt://127.0.0.1:$port"

nilo sim town town --mixed --meters 80 --days 4 --seed 3 > /dev/null
for list in orgs zones routes meters keys points fittings; do nilo import "$list" "town/$list.csv" > /dev/null; done
spoken=$(cut -d, -f8 town/meters.csv | tail -n +2 | sort | uniq | paste -sd ' ')
[[ $spoken == 'cjt188 lora-pulse-day native oms' ]] || { echo "the town speaks $spoken"; exit 1; }
nilo sim replay town/readings.csv --coap "$coap" --meters town/meters.csv --keys town/keys.csv --mqtt "127.0.0.1:$port" > replayed
nilo settle

# What a person read comes by a file, not by radio; both are there.
tail -n +2 town/readings.csv | cut -d, -f1-3 | sort -u > sent
cut -d, -f1 town/meters.csv | tail -n +2 | while read -r serial; do
    nilo reading list "$serial" --from 2025-12-01T00:00:00Z --to 2027-01-01T00:00:00Z --format csv --show serial,channel,time,index_l |
        awk -F, 'NR > 1 && $2 != "temperature" && $2 != "pressure" { print $1 "," $3 "," $4 }'
done | sort -u > kept
if ! diff sent kept > differ; then
    echo "sent (<) and kept (>) differ:"
    head -20 differ
    exit 1
fi
echo "$(wc -l < kept) readings of 80 meters came back as they were sent"
[[ $(nilo quarantine list --format csv | wc -l) == 1 && $(nilo reject list --format csv | wc -l) == 1 ]]
[[ $(wc -l < kept) -gt 5000 ]]
