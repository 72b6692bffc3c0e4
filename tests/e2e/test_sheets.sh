#!/usr/bin/env bash
# Lists as workbooks over a real nilod: numbers, times and dates are such, headings are in both languages, and every list has this form.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

# sheet FILE: its rows as JSON, each cell as its value and the number format of its style; and whether the heading stays in sight.
sheet() {
    python3 - "$1" <<'END_OF_PYTHON'
import json, sys, zipfile, xml.etree.ElementTree as E
n = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
styles = E.fromstring(z.read('xl/styles.xml'))
names = {int(f.get('numFmtId')): f.get('formatCode') for f in styles.iter(n + 'numFmt')}
names.update({0: 'General', 1: '0', 2: '0.00', 49: '@'})
formats = [names[int(x.get('numFmtId'))] for x in styles.find(n + 'cellXfs')]
page = E.fromstring(z.read('xl/worksheets/sheet1.xml'))
pane = page.find(f'{n}sheetViews/{n}sheetView/{n}pane')
assert pane.get('state') == 'frozen' and pane.get('ySplit') == '1'
rows = []
for row in page.iter(n + 'row'):
    cells = []
    for c in row:
        text = ''.join(t.text or '' for t in c.iter(n + 't'))
        v = c.find(n + 'v')
        cells.append([text if c.get('t') == 'inlineStr' else float(v.text) if v is not None else None, formats[int(c.get('s'))]])
    rows.append(cells)
json.dump(rows, sys.stdout, ensure_ascii=False)
END_OF_PYTHON
}
# cell ROWS NUMBER ENGLISH: the cell of a row (from 1) under the heading whose English line begins so.
cell() { jq -c --argjson row "$2" --arg en "$3" '(.[0] | map(.[0] | split("\n")[1] // "") | index($en)) as $at | .[$row][$at]' <<< "$1"; }
ask() { curl -s -o "$2" -w '%{http_code} %{content_type}' -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H 'Accept: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet' "$NILO_SERVER$1"; }
type=application/vnd.openxmlformats-officedocument.spreadsheetml.sheet

world() {
    printf 'route\nR1\n' | nilo import routes - && printf 'serial,dn,q3,verified_on\n0012,15,2.5,2026-01-05\n' | nilo import meters -
    printf 'point,account,route,address\nP1,A-1,R1,"=1+1, ""杭州路"" 1 号\nB"\n' | nilo import points -
    printf 'point,serial,from,start_index_l\nP1,0012,2026-02-01T00:00:00+08:00,100\n' | nilo import fittings -
    printf 'serial,time,index_l,channel\n0012,2026-03-01T00:00:00+08:00,12345,forward\n0012,2026-03-02T06:00:00+08:00,12890.5,forward\n0012,2026-03-02T06:00:00+08:00,310,pressure\n' | nilo import readings - && nilo settle
}

numbers_times_and_dates_are_such() {
    local rows
    is "200 $type" "$(ask '/v1/meters/0012/readings?from=2026-02-28T00:00:00Z&to=2026-03-05T00:00:00Z' readings.xlsx)" && rows=$(sheet readings.xlsx) || return 1
    is 4 "$(jq length <<< "$rows")" && is '"读数\nIndex (m³)"' "$(jq -c '.[0] | map(.[0])[] | select(startswith("读数"))' <<< "$rows")" || return 1
    is '["0012","@"] [12.345,"0.000"] [12.8905,"0.000"] [46082,"yyyy-mm-dd hh:mm"] [46083.25,"yyyy-mm-dd hh:mm"]' \
        "$(cell "$rows" 1 Serial) $(cell "$rows" 1 'Index (m³)') $(cell "$rows" 2 'Index (m³)') $(cell "$rows" 1 Time) $(cell "$rows" 2 Time)" || return 1
    is '"pressure" "310"' "$(cell "$rows" 3 Channel | jq '.[0]') $(cell "$rows" 3 'Index (m³)' | jq '.[0]')" || return 1
    ask /v1/meters meters.xlsx > /dev/null && rows=$(sheet meters.xlsx) || return 1
    is '[46027,"yyyy-mm-dd"] [15,"0"] [2.5,"0.000"]' "$(cell "$rows" 1 'Verified on') $(cell "$rows" 1 Dn) $(cell "$rows" 1 Q3)"
}

a_text_is_a_text_whatever_it_looks_like() {
    nilo point list --format xlsx > points.xlsx && is '["=1+1, \"杭州路\" 1 号\nB","@"]' "$(cell "$(sheet points.xlsx)" 1 Address)" || return 1
    has "$(curl -s -D - -o /dev/null -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" -H "Accept: $type" "$NILO_SERVER/v1/points")" 'filename="points.xlsx"'
}

every_list_has_this_form() {
    local path asked=0
    # All lists of the API, with what their paths name.
    curl -s "$NILO_SERVER/openapi.json" | jq -r '.paths | to_entries[] | select(.value.get.responses["2XX"].content["text/csv"]) | .key' > lists
    is 0 "$(curl -s "$NILO_SERVER/openapi.json" | jq --arg type "$type" '[.paths[].get // empty | .responses["2XX"].content | select(has("text/csv") and (has($type) | not))] | length')" || return 1
    while read -r path; do
        path=${path//\{serial\}/0012} path=${path//\{point\}/P1} path=${path//\{route\}/R1} path=${path//\{list\}/points}
        [[ $path == *'{'* ]] && continue # of things that this town does not have
        case $path in
        */routes/R1/review) path+='?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z' ;;
        */consumption) path+='?step=day&from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z' ;;
        */due) path+='?from=2026-01-01&to=2026-12-31' ;;
        */condition | */summary) [[ $path == *quarantine* ]] || path+='?from=2026-04-01&to=2026-12-31' ;;
        esac
        is "$path 200 $type" "$path $(ask "$path" list.xlsx)" || { cat list.xlsx; return 1; }
        sheet list.xlsx > /dev/null || return 1
        asked=$((asked + 1))
    done < lists
    echo "        $asked lists"
    [[ $asked -gt 30 ]]
}

a_sheet_holds_as_many_rows_as_the_csv() {
    { echo point,account; for i in $(seq 3000); do echo "Q$i,A$i"; done; } | nilo import points - > /dev/null
    nilo point list --format xlsx > points.xlsx && is "$(nilo point list --format csv | wc -l)" "$(($(sheet points.xlsx | jq length) + 1))" || return 1 # an address has two lines
    nilo point list --limit 7 --format xlsx > points.xlsx && is 8 "$(sheet points.xlsx | jq length)"
}

what_is_no_list_says_so() {
    exits 2 nilo point show P1 --format xlsx && has "$said" 'of a list also xlsx' || return 1
    is "406 application/problem+json" "$(ask /v1/points/P1 none)" && has "$(ask '/v1/points?zone=none' none)" '404 application/problem+json'
}

nilod_start --virtual-clock 2026-03-10T12:00:00+08:00
world > /dev/null || { echo "the world could not be made"; exit 1; }
hold numbers_times_and_dates_are_such a_text_is_a_text_whatever_it_looks_like every_list_has_this_form a_sheet_holds_as_many_rows_as_the_csv what_is_no_list_says_so
hold_end
