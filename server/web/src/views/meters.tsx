// Finding a meter: by how its serial, point or account begins; without a question the register's first rows.
import { useEffect, useState } from 'preact/hooks';
import { get, list } from '../base/api';
import { useAsk } from '../base/ask';
import { filter, link } from '../base/router';
import { named, word } from '../base/words';
import { Exports } from '../parts/exports';
import { Answer, Empty } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Hit { kind: string; name: string; path: string; serial?: string; point?: string; account?: string; address?: string; route?: string }
interface Meter { serial: string; model: string | null; dn: number; q3: string | number; state: string; dialect: string | null; batch: string | null; depot: string | null }

const WAIT_MS = 20; // for the next letter; what was asked before it is given up

function hrefOf(h: Hit): string | undefined {
    if (h.kind === 'serial') return link`/meters/${h.name}`;
    if (h.serial) return link`/meters/${h.serial}`;
    if (h.kind === 'order') return link`/orders/${h.name}`;
    if (h.kind === 'route') return '#/routes';
    return undefined;
}

function Found({ q }: { q: string }) {
    const asked = useAsk((signal) => get<{ rows: Hit[] }>('/v1/search', { q, limit: 20 }, signal), [q]);
    return (
        <Answer asked={asked}>{(d) => d.rows.length === 0 ? <Empty>{word('meters.nothing', { q })}</Empty> : (
            <ul class="lines card hits">{d.rows.map((h) => {
                const to = hrefOf(h);
                return (
                    <li key={h.kind + h.name}>
                        <span class="badge">{named('thing', h.kind)}</span>
                        {to ? <a href={to}><strong>{h.name}</strong></a> : <strong>{h.name}</strong>}
                        <span class="quiet">{[h.kind !== 'serial' && h.serial, h.kind !== 'point' && h.point, h.kind !== 'account' && h.account, h.address, h.route].filter(Boolean).join(' · ')}</span>
                    </li>
                );
            })}</ul>
        )}</Answer>
    );
}

function Register() {
    const asked = useAsk((signal) => list<Meter>('/v1/meters', { limit: 200 }, signal), []);
    const columns: Column<Meter>[] = [
        { id: 'serial', head: word('meters.serial'), cell: (m) => <a href={link`/meters/${m.serial}`}>{m.serial}</a>, sort: (m) => m.serial, priority: 1 },
        { id: 'state', head: word('meters.state'), cell: (m) => named('meter_state', m.state), sort: (m) => named('meter_state', m.state), priority: 1 },
        { id: 'model', head: word('meters.model'), cell: (m) => m.model ?? '–', sort: (m) => m.model },
        { id: 'dn', head: 'DN', cell: (m) => m.dn, sort: (m) => m.dn, end: true, width: '4.5rem' },
        { id: 'q3', head: 'Q3', cell: (m) => m.q3, sort: (m) => Number(m.q3), end: true, width: '5rem', priority: 3 },
        { id: 'dialect', head: word('meters.dialect'), cell: (m) => m.dialect ?? '–', sort: (m) => m.dialect, priority: 3 },
        { id: 'depot', head: word('meters.depot'), cell: (m) => m.depot ?? '–', sort: (m) => m.depot, priority: 3 },
    ];
    return <Answer asked={asked}>{(d) => <Table name={word('meters.title')} columns={columns} rows={d.rows} id={(m) => m.serial} open={(m) => (location.hash = link`/meters/${m.serial}`)} more={!!d.next} empty={word('meters.none')} />}</Answer>;
}

export default function Meters({ query }: ViewProps) {
    const q = query.get('q') ?? '';
    const [typed, type] = useState(q);
    useEffect(() => {
        const timer = setTimeout(() => typed.trim() !== q && filter({ q: typed.trim() || null }), WAIT_MS);
        return () => clearTimeout(timer);
    }, [typed]);
    return (
        <>
            <div class="head"><h1>{word('meters.title')}</h1><div class="head-end"><Exports path="/v1/meters" /></div></div>
            <input type="search" class="wide-search" aria-label={word('meters.search')} placeholder={word('meters.search_hint')} value={typed} onInput={(e) => type(e.currentTarget.value)} />
            <div class="gap-top">{q ? <Found q={q} /> : <Register />}</div>
        </>
    );
}
