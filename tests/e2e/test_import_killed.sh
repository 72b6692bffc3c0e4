#!/usr/bin/env bash
# A big file of the register whose import is cut off by kill -9, wherever it stands: the store has nothing of it, or all that the mode lets in.
# ROWS=1000000 is the size of a first migration.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

rows=${ROWS:-20000} kills=${KILLS:-6}
meters_there() { nilo stat --format ndjson | sed 's/.*"meters":\([0-9]*\).*/\1/'; }
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# Every hundredth row is not to be had.
awk -v n="$rows" 'BEGIN { print "serial,dn,q3,model,verified_on"; for (i = 1; i <= n; i++) printf "M%08d,%s,2.5,LXS-15E,2026-01-%02d\n", i, i % 100 ? 15 : "x", 1 + i % 28 }' > some.csv
awk -F, 'NR == 1 || $2 != "x"' some.csv > good.csv
good=$((rows - rows / 100))

# killed_in FILE MODE   imports it with a kill at the n-th part of the time that the whole one took
killed_in() {
    local file=$1 mode=$2 kill there whole=0 nothing=0 begun took
    rm -rf store && nilod_start || return 1
    begun=$(now_us)
    nilo import meters $file $mode > /dev/null 2>&1
    took=$(($(now_us) - begun))
    is $good "$(meters_there)" || return 1
    nilod_stop || return 1
    for ((kill = 1; kill <= kills; kill++)); do
        rm -rf store && nilod_start || return 1
        nilo import meters $file $mode > answer 2>&1 &
        import=$!
        # Wherever the kill falls, the claim below holds: this only spreads the kills over the whole of it.
        read -r -t "$(awk -v us="$took" -v k="$kill" -v n="$kills" 'BEGIN { printf "%.6f", us / 1e6 * k / (n + 0.5) }')" <> <(:)
        kill -9 "$nilod"
        wait "$nilod" 2>/dev/null
        wait "$import"
        code=$?
        nilod_start || return 1
        there=$(meters_there)
        [[ $there == 0 || $there == "$good" ]] || { echo "      killed at $kill of $kills: $there meters, expected 0 or $good"; return 1; }
        # What was answered with success is there.
        [[ $code != 0 || $there == "$good" ]] || { echo "      the import had succeeded, and $there meters are there"; return 1; }
        if [[ $there == 0 ]]; then nothing=$((nothing + 1)); else whole=$((whole + 1)); fi
        nilo import meters $file $mode > /dev/null 2>&1
        is $good "$(meters_there)" || return 1
        nilo audit verify > /dev/null || return 1
        nilod_stop || return 1
        nilo store check --store store > /dev/null || return 1
    done
    echo "      $kills kills of an import ${mode:-of all or nothing}: nothing $nothing times, all $whole times"
    [[ $nothing -gt 0 ]]
}

all_or_nothing() { killed_in good.csv ''; }
what_may_be_kept_or_nothing() { killed_in some.csv --keep-going; }

hold all_or_nothing what_may_be_kept_or_nothing
hold_end
