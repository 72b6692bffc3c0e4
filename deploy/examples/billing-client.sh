#!/usr/bin/env bash
# billing-client.sh FOLDER   bills what closed cycles froze and what was adjusted afterwards, each once; run it again at any time, also after a kill
#
# Asks the nilod at $NILO_SERVER by a token of the role billing in $NILO_TOKEN_FILE. A worked example: curl, jq, and files that are whole or absent.
#
#   FOLDER/cycles/NAME/pages/000001   determinants as they came, with the list's last line      …/bills/000001   the bills made of them
#   FOLDER/cycles/NAME/settled        nilod knows that they are billed                          FOLDER/adjustments/{pages,bills}/000001 likewise
#
# Why nothing is billed twice: a bill's number is its cycle and point, or its adjustment, and a page's place follows from the pages before it. Whatever is
# done again after a kill gives the same file, over the one that was there. Why nothing is lost: a page that is cut off has no last line and is not kept,
# and a cycle's pages must have the digest that its closing told.
# shellcheck disable=SC2016 # $price and the like are jq's
set -euo pipefail
: "${NILO_SERVER:?the address of nilod: http://HOST:PORT}" "${NILO_TOKEN_FILE:?the file of a token}"
folder=${1:?usage: billing-client.sh FOLDER}
page_size=${PAGE_SIZE:-100000}
price=${PRICE_FEN:-345} # of a cubic metre; a real tariff has steps

stop() {
    echo "billing-client.sh: $*" >&2
    exit 1
}
ask() { curl -sS --fail-with-body --max-time 600 -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" "${@:2}" "$NILO_SERVER$1"; }

# keep FILE: what stands in $folder/new is its content from now on, on disk before it bears the name.
keep() {
    sync "$folder/new"
    mv "$folder/new" "$1"
    sync "${1%/*}"
}
next_of() { tail -n 1 "$1" | jq -r '.next // empty'; }

# pull PATH FOLDER: a list's pages. One without a cursor was the last one and is asked for again, for it may have grown.
pull() {
    local number=1 page cursor='' next
    mkdir -p "$2"
    while :; do
        page=$2/$(printf %06d "$number")
        next=''
        [[ -e $page ]] && next=$(next_of "$page")
        if [[ -z $next ]]; then
            ask "$1?limit=$page_size${cursor:+&after=$cursor}" -H 'Accept: application/x-ndjson' > "$folder/new"
            tail -n 1 "$folder/new" | jq -e '.end == true' > /dev/null || stop "$1 was cut off"
            keep "$page"
            next=$(next_of "$page")
        fi
        [[ $next ]] || return 0
        cursor=$next
        number=$((number + 1))
    done
}

# make PAGES BILLS JQ-OPTION... PROGRAM: of each page of rows its bills.
make() {
    local page
    mkdir -p "$2"
    for page in "$1"/*; do
        jq -c --argjson price "$price" "${@:3}" "$page" > "$folder/new"
        keep "$2/${page##*/}"
    done
}

# A point that is missing has no bill: once it is known what it used, an adjustment says so.
bill_cycle() {
    local cycle=$1 name digest
    name=$(jq -rn --arg cycle "$cycle" '$cycle | @uri')
    local own=$folder/cycles/=$name
    [[ -e $own/settled ]] && return
    pull "/v1/cycles/$name/determinants" "$own/pages"
    digest=$(ask "/v1/cycles/$name" | jq -r .digest)
    [[ $digest == "$(cat "$own"/pages/* | grep -v '^{"end":true' | sha256sum | cut -d ' ' -f 1)" ]] || stop "cycle $cycle is not what its closing said"
    make "$own/pages" "$own/bills" 'select(.billed_m3 != null) | {number: "\(.cycle)/\(.point)", account, point, cycle, from, to, quality,
        m3: .billed_m3, fen: (.billed_m3 * $price)}'
    if grep -qv '^{"end":true' "$own"/pages/*; then
        ask "/v1/cycles/$name/settled" -H 'Content-Type: application/json' -d "$(jq -cn --arg document "bills of $cycle" '{all: true, $document}')" > "$folder/new"
    else
        echo '{}' > "$folder/new"
    fi
    keep "$own/settled"
}

# An adjustment goes to the account that the cycle was billed to.
bill_adjustments() {
    local own=$folder/adjustments
    pull /v1/adjustments "$own/pages"
    cat "$own"/pages/* | jq -c 'select(.id) | {key: "\(.cycle)/\(.point)", value: true}' | jq -s from_entries > "$folder/new"
    keep "$own/wanted"
    cat "$folder"/cycles/*/pages/* /dev/null | jq -c --slurpfile wanted "$own/wanted" 'select(.point and $wanted[0]["\(.cycle)/\(.point)"])
        | {key: "\(.cycle)/\(.point)", value: .account}' | jq -s from_entries > "$folder/new"
    keep "$own/accounts"
    make "$own/pages" "$own/bills" --slurpfile accounts "$own/accounts" 'select(.id) | "\(.cycle)/\(.point)" as $of
        | if $accounts[0] | has($of) then . else error("adjustment \(.id): cycle \(.cycle) is not billed yet; run again") end
        | {number: "adjustment/\(.id)", account: $accounts[0][$of], point, cycle, reason, m3: .delta_m3, fen: (.delta_m3 * $price)}'
}

mkdir -p "$folder"
exec 9> "$folder/lock" # held by our children as well: what a killed run left behind writes into no file of ours
flock -w 600 9 || stop "another run works in $folder"
ask /v1/cycles -H 'Accept: application/x-ndjson' > "$folder/new"
tail -n 1 "$folder/new" | jq -e '.end == true' > /dev/null || stop "the list of cycles was cut off"
mapfile -t closed < <(jq -c 'select(.state == "closed") | .cycle' "$folder/new")
for cycle in "${closed[@]}"; do
    bill_cycle "$(jq -r . <<< "$cycle")"
done
bill_adjustments
