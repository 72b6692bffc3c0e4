#!/usr/bin/env bash
# The whole register as files, out and in again, against a real nilod. Each function is a claim; one that returns an error has failed.
set -uo pipefail
# shellcheck source=tests/e2e/nilod.sh
. "$(dirname "$0")/nilod.sh"

now=2026-03-02T02:00:00Z
empty_store() { nilod_stop && rm -rf store && nilod_start --virtual-clock $now; }

# A fleet by the dice: every list, odd texts, lives along the state table as far as the dice go.
fleet_of_dice() {
    awk -v seed="$1" -v dir="$2" '
    function any(list, n, a) { n = split(list, a, "|"); return a[1 + int(rand() * n)] }
    function odd() { return any("|plain|\"with, comma\"|\"a \"\"quote\"\"\"|水表 7号|\" edge \"|=1+1|\x27x") }
    function put(file, line) { print line > (dir "/" file ".csv") }
    function at(day) { return sprintf("2026-%02d-%02dT%02d:00:00Z", 1 + int(day / 28), 1 + day % 28, int(rand() * 24)) }
    BEGIN {
        srand(seed)
        put("orgs", "org,parent,level,name\nCO,,company," odd() "\nB1,CO,branch,\nT1,B1,team," odd())
        put("zones", "zone,parent,name,mains_km,frost_m\nZ0,,," any("|12.50|3") ",\nZ1,Z0," odd() ",,1.4")
        put("routes", "route,org,name\nR1,T1," odd() "\nR2,B1,")
        put("models", "model,maker,dn,q3,digits,price\nLX," odd() ",15,2.5,5,80.50")
        put("batches", "batch,model,supplier,ordered\nB7,LX," odd() ",4")
        put("depots", "depot,org,name\nD1,B1," odd()); put("crews", "crew,org,name\nC1,T1," odd())
        put("prices", "item,of,money,source\nwater,residential,2.80," odd())
        put("seals", "seal,kind,crew\nA1,lead,\nA2,,C1"); put("modems", "modem,imei,serial\nE1,861000000000011,\nE2,,M003")
        put("meters", "serial,model,dn,q3,verified_on,state,depot,supplier,life_months")
        put("points", "point,account,address,lon,lat,use_class,zone,route,route_seq")
        put("events", "serial,event,at,recorded_at,point,index_l,result,document,note,crew,reason,depot,overruled")
        put("fittings", "point,serial,from,start_index_l,to,end_index_l,reason")
        put("boundaries", "zone,point,direction,from\nZ1,P001,in,2026-01-01T00:00:00Z")
        put("orders", "order,kind,point,serial,reason,priority,assignee,due,state,created_at,since,result,index_l,lon,lat,remark,attempts,tour,stop")
        for (i = 1; i <= 40; i++) {
            m = sprintf("M%03d", i); p = sprintf("P%03d", i)
            put("points", p "," odd() "," odd() "," any("|120.1550|120") "," any("|30.2") "," any("|residential|hydrant") "," any("|Z0|Z1") "," any("|R1|R2") "," any("|7|70"))
            old = rand() < 0.3
            put("meters", m "," any("|LX") ",15,2.5," (old ? "2024-05-06," any("|in-stock") : ",") "," any("|D1") "," odd() "," any("|60"))
            if (old) {
                shut = rand() < 0.5
                put("fittings", p "," m ",2025-01-01T00:00:00Z," int(rand() * 9) any("|.5") "," (shut ? "2025-06-01T00:00:00Z,1000" : ",") "," any("|fitted"))
                if (!shut && rand() < 0.5) put("events", m ",suspend,2026-01-05T00:00:00Z,2026-01-06T00:00:00Z,,,,N1," odd() ",,,,")
                continue
            }
            if (rand() < 0.5) {
                s = any("open|assigned|started|done|cancelled")
                put("orders", sprintf("W%08d", i * 3) "," any("replace|inspect|verify|repair|read") "," p "," any("|" m) "," odd() "," any("urgent|low") "," (s == "open" ? "" : "C1") ",2026-03-09T00:00:00Z," s ",2026-03-01T00:00:00Z,2026-03-02T00:00:00Z," \
                    (s == "done" ? "done,12.5,120.1550,30," odd() ",2" : any("|no-access") ",,,,,") "," any(",|T-2026-03-02-0001,4"))
            }
            day = 0; n = int(rand() * 9)
            for (k = 1; k <= n; k++) {
                w = k == 1 ? "receive" : k == 2 ? "inspect" : k == 3 ? "verify" : k == 4 ? "stock" : k == 5 ? "issue" : k == 6 ? "install" : k == 7 ? "suspend" : "remove"
                if (rand() < 0.8 || k == 7) day++
                t = at(day)
                if (t <= last) t = last
                last = t
                put("events", m "," w "," t "," (rand() < 0.5 ? "2026-03-01T00:00:00Z" : "") "," (w == "install" ? p : "") "," (w == "install" ? "3" : w == "remove" ? "250.125" : "") "," \
                    (w == "inspect" ? any("pass|fail") : "") "," (w ~ /receive|issue|suspend/ ? "DOC-" k : "") "," odd() "," (w == "issue" ? "C1" : "") "," odd() "," (w ~ /receive|stock/ ? any("|D1") : "") "," any("|false"))
            }
            last = ""
        }
    }'
    # A certificate is what a verification cannot lack.
    sed -i '1s/$/,certificate/; 2,$s/$/,/; s/\(,verify,.*\),$/\1,C-9/' "$2/events.csv"
}

what_goes_out_goes_into_an_empty_store_and_comes_out_the_same_byte_by_byte() {
    local seed list
    for seed in 1 2; do
        empty_store && mkdir -p "in$seed" && fleet_of_dice $seed "in$seed" || return 1
        for list in orgs zones routes models batches depots crews prices meters points modems seals fittings events boundaries orders; do
            exits 0 nilo import $list "in$seed/$list.csv" || return 1
        done
        exits 0 nilo export "out$seed" && empty_store && exits 0 nilo import --all "out$seed" || return 1
        exits 0 nilo export "again$seed" && diff -r "out$seed" "again$seed" || return 1
        exits 0 nilo import --all "again$seed" && [[ $said != *'"written":'[1-9]* ]] || { echo "$said"; return 1; }
        exits 0 nilo export "third$seed" && diff -r "out$seed" "third$seed" || return 1
    done
}

meters_put_on_and_taken_off_in_one_second_go_out_and_in() {
    local old=F1 serial
    empty_store && nilo import points - <<< $'point\nPX' > /dev/null || return 1
    for serial in F1 F2 F3 F4; do nilo import meters - <<< $'serial,dn,q3\n'$serial,15,2.5 > /dev/null; done
    exits 0 nilo meter event F1 install --point PX --index 0 || return 1
    for serial in F2 F3 F4; do
        exits 0 nilo meter exchange PX --old $old --old-index 0 --new $serial --new-index 0 --reason wrong || return 1
        old=$serial
    done
    exits 0 nilo export at_once && empty_store && exits 0 nilo import --all at_once || return 1
    exits 0 nilo export at_once_again && diff -r at_once at_once_again
}

lives_come_out_as_they_were_told() {
    has "$(cat out1/events.csv)" '" edge "' '"a ""quote"""' ',verify,' 'C-9' || return 1
    (($(wc -l < out1/events.csv) == $(wc -l < in1/events.csv))) && (($(wc -l < out1/fittings.csv) == $(wc -l < in1/fittings.csv)))
}

a_folder_that_something_broke_off_or_changed_is_not_imported() {
    cp -r out1 torn && echo >> torn/meters.csv && exits 1 nilo import --all torn && has "$said" meters.csv SHA-256 || return 1
    rm torn/points.csv && exits 1 nilo import --all torn || return 1
    exits 1 nilo export out1 && has "$said" 'name a new folder'
}

a_life_comes_whole_or_not_at_all() {
    empty_store || return 1
    printf 'serial,dn,q3\nA,15,2.5\nB,15,2.5\n' | nilo import meters - > /dev/null
    printf 'point\nP\n' | nilo import points - > /dev/null
    printf 'serial,event,at,document,point,index_l\nA,receive,2026-01-01T00:00:00Z,D,,\nA,stock,2026-01-02T00:00:00Z,,,\nB,receive,2026-01-01T00:00:00Z,D,,\n' > lives.csv
    exits 1 nilo import events lives.csv && has "$said" 'lives.csv:3: event:' 'verified or at-lab' 'lives.csv:2: serial:' 'line 3 is refused' || return 1
    exits 0 nilo import events lives.csv --keep-going --report refused.csv --format ndjson && has "$said" '"written":1' '"refused":2' || return 1
    is "$(cut -d, -f1,2 refused.csv | tr -d '\r' | tr '\n' ' ')" 'line,column 2,serial 3,event ' || return 1
    printf 'serial,event,at,point,index_l\nA,install,2026-01-03T00:00:00Z,P,0\nB,install,2026-01-03T00:00:00Z,P,0\n' > lives.csv
    exits 1 nilo import events lives.csv && has "$said" 'lives.csv:3:' || return 1
    printf 'serial,event,at,recorded_at,document\nA,receive,2026-01-03T00:00:00Z,2026-01-03T00:00:00Z,D\n' > lives.csv
    nilo token create --role supervisor --name chief > chief
    exits 1 nilo import events lives.csv --token-file chief && has "$said" 'only an admin'
}

orders_of_a_file_are_found_by_every_list_and_numbers_go_on_behind_them() {
    local head=order,kind,point,serial,priority,due,state,created_at,since,assignee times=2026-03-09T00:00:00Z
    empty_store || return 1
    printf 'serial,dn,q3\nA,15,2.5\n' | nilo import meters - > /dev/null
    printf 'point\nP\n' | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l\nP,A,2026-01-01T00:00:00Z,0\n' | nilo import fittings - > /dev/null
    printf '%s\nW00000041,read,P,A,low,%s,assigned,%s,%s,C1\n' $head $times $times $times > orders.csv
    exits 0 nilo import orders orders.csv && has "$said" '"written":1' || return 1
    exits 0 nilo import orders orders.csv && has "$said" '"unchanged":1' || return 1
    exits 0 nilo order list --assignee C1 --format csv --show order,state && has "$said" W00000041,assigned || return 1
    exits 0 nilo order list --point P && has "$said" W00000041 || return 1
    exits 1 nilo order create read --point P && has "$said" W00000041 || return 1
    exits 0 nilo order create inspect --point P && has "$said" W00000042 || return 1
    sed 's/,low,/,high,/' orders.csv > changed.csv && exits 1 nilo import orders changed.csv && has "$said" priority low || return 1
    # A number of ten digits, and a second live order of a kind at the place.
    for wrong in 'W4294967295,read,P,A,low,%s,done,%s,%s,C1' 'W00000051,read,P,,low,%s,assigned,%s,%s,C1' 'W00000051,read,,A,low,%s,open,%s,%s,'; do
        # shellcheck disable=SC2059
        printf "%s\n$wrong\n" $head $times $times $times > wrong.csv
        exits 1 nilo import orders wrong.csv && has "$said" 'wrong.csv:2:' || return 1
    done
    has "$said" 'W00000041 to read there is assigned' || return 1
    for wrong in 'W41,read,P,A,low,%s,open,%s,%s,' 'W00000050,paint,P,A,low,%s,open,%s,%s,' 'W00000050,read,,,low,%s,open,%s,%s,' 'W00000050,read,P,B,low,%s,open,%s,%s,' \
        'W00000050,read,P,A,soon,%s,open,%s,%s,' 'W00000050,read,P,A,low,%s,lost,%s,%s,' 'W00000050,read,P,A,low,%s,assigned,%s,%s,' 'W00000050,read,P,A,low,%s,open,%s,%s,C1'; do
        # shellcheck disable=SC2059
        printf "%s\n$wrong\n" $head $times $times $times > wrong.csv
        exits 1 nilo import orders wrong.csv && has "$said" 'wrong.csv:2:' || return 1
    done
    exits 0 nilo order list --format ndjson && has "$said" '"rows":2' || return 1
    # What no order of ours can have is a refused row.
    for wrong in W00000050,-5,T-2026-03-10-0001,0 W00000050,4294967296,T-2026-03-10-0001,0 W00000050,1,rubbish,0 W00000050,1,T-2026-13-10-0001,0 W00000050,1,,-3; do
        IFS=, read -r name stop tour attempts <<< "$wrong"
        printf '%s,stop,tour,attempts\n%s,read,P,A,low,%s,assigned,%s,%s,C1,%s,%s,%s\n' $head "$name" $times $times $times "$stop" "$tour" "$attempts" > wrong.csv
        exits 1 nilo import orders wrong.csv && has "$said" 'wrong.csv:2:' || return 1
    done
}

a_list_of_a_file_and_one_planned_here_are_two() {
    local head=order,kind,point,serial,priority,due,state,created_at,since,assignee,tour,stop times=2026-03-09T00:00:00Z
    empty_store || return 1
    printf 'serial,dn,q3\nA,15,2.5\n' | nilo import meters - > /dev/null
    printf 'point\nP\n' | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l\nP,A,2026-01-01T00:00:00Z,0\n' | nilo import fittings - > /dev/null
    exits 0 nilo order create read --point P && exits 0 nilo tour plan 2026-12-01 --assignee Li && has "$said" T-2026-12-01-0001 || return 1
    printf '%s\nW00000041,verify,P,A,low,%s,assigned,%s,%s,C1,T-2026-12-01-0002,1\n' $head $times $times $times > orders.csv
    exits 0 nilo import orders orders.csv && exits 0 nilo order create inspect --point P || return 1
    exits 0 nilo tour plan 2026-12-01 --assignee Wang && has "$said" T-2026-12-01-0003 || return 1
    # A day has 9999 of them, and says so.
    printf '%s\nW00000061,repair,P,A,low,%s,assigned,%s,%s,C1,T-2026-12-02-9999,1\n' $head $times $times $times > orders.csv
    exits 0 nilo import orders orders.csv && exits 0 nilo order create replace --point P || return 1
    exits 1 nilo tour plan 2026-12-02 --assignee Wang && has "$said" 'as many lists as there are numbers'
}

a_file_is_for_whoever_may_write_its_rows() {
    empty_store || return 1
    nilo token create --role store --name depot > keeper
    nilo token create --role viewer --name hall > viewer
    printf 'point\nP\n' > points.csv
    printf 'serial,dn,q3\nA,15,2.5\n' > meters.csv
    printf 'model,dn\nM,15\n' > models.csv
    printf 'crew\nC\n' > crews.csv
    for list in models meters crews; do
        exits 1 nilo import $list $list.csv --token-file viewer && has "$said" 'role viewer' || return 1
        exits 0 nilo import $list $list.csv --token-file keeper || return 1
    done
    for list in points zones routes orgs fittings boundaries prices keys readings orders; do
        exits 1 nilo import $list points.csv --token-file keeper && has "$said" 'role store' $list || return 1
    done
    nilo import points points.csv > /dev/null
    printf 'serial,event,at,document\nA,receive,2026-01-01T00:00:00Z,D\n' > lives.csv
    exits 0 nilo import events lives.csv --token-file keeper && has "$said" '"written":1' || return 1
    # What the role may not do alone, it may not do by a file either, and nothing of the file is taken.
    printf 'serial,event,at,certificate,point,index_l,overruled,imported\nA,verify,2026-01-02T00:00:00Z,C,,,,\nA,%s,2026-01-03T00:00:00Z,,P,0,%s,%s\n' install '' '' > lives.csv
    exits 1 nilo import events lives.csv --token-file keeper --keep-going && has "$said" 'role store' 'line 3' 'install' || return 1
    exits 1 nilo import events lives.csv --token-file viewer && has "$said" 'role viewer' || return 1
    printf 'serial,event,at,note,index_l,overruled\nA,lose,2026-01-02T00:00:00Z,gone,5,true\n' > lives.csv
    exits 1 nilo import events lives.csv --token-file keeper && has "$said" 'role store' 'supervisor' || return 1
    exits 0 nilo meter show A --format json && has "$said" '"state":"received"'
}

what_is_stamped_ahead_is_no_damage() {
    empty_store || return 1
    printf 'serial,dn,q3\nA,15,2.5\n' | nilo import meters - > /dev/null
    printf 'point\nP\n' | nilo import points - > /dev/null
    printf 'point,serial,from,start_index_l\nP,A,2026-03-02T02:05:00Z,0\n' | nilo import fittings - > /dev/null || return 1
    exits 0 nilo store check --store store && nilo clock set 2026-03-02T02:06:00Z > /dev/null && exits 0 nilo store check --store store
}

nilod_start --virtual-clock $now
# A row that ends nowhere is as long as its file.
a_quote_that_nobody_closes_is_not_kept_in_memory() {
    local before after
    peak() { awk '/^VmHWM/ { print $2 }' "/proc/$nilod/status"; }
    { echo serial,dn,q3; echo '"A,15,2.5'; head -c 64M /dev/zero | tr '\0' x; } > open.csv
    before=$(peak)
    said=$(curl -s -H "Authorization: Bearer $(cat "$NILO_TOKEN_FILE")" --data-binary @open.csv "$NILO_SERVER/v1/import/meters")
    has "$said" 'a row of more than 32 KiB' '"refused":1' || return 1
    after=$(peak)
    # The file itself is mapped, which counts once.
    ((after - before < 98304)) || { echo "      $((after - before)) KiB more"; return 1; }
}

hold what_goes_out_goes_into_an_empty_store_and_comes_out_the_same_byte_by_byte lives_come_out_as_they_were_told \
    meters_put_on_and_taken_off_in_one_second_go_out_and_in a_folder_that_something_broke_off_or_changed_is_not_imported a_life_comes_whole_or_not_at_all \
    a_file_is_for_whoever_may_write_its_rows orders_of_a_file_are_found_by_every_list_and_numbers_go_on_behind_them \
    a_list_of_a_file_and_one_planned_here_are_two what_is_stamped_ahead_is_no_damage \
    a_quote_that_nobody_closes_is_not_kept_in_memory
hold_end
