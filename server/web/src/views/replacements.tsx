// The replacement list: which meters to change first by money, on a map, with a budget that says where it stops paying; orders from it, and a sheet for paper.
import { useMemo, useState } from 'preact/hooks';
import { all, get, list } from '../base/api';
import { useAsk } from '../base/ask';
import { day, number, percent } from '../base/format';
import { filter, link } from '../base/router';
import { may } from '../base/session';
import { language, named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { PlaceMap, type Spot } from '../parts/map';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';
import { makeOrders } from './many_orders';

interface Replacement {
    rank: number; serial: string; point: string; address?: string; lon?: number; lat?: number; route?: string; zone?: string; dn: number; reason: string; reason_zh: string; kinds: string[];
    due_on: string | null; loss_m3_month: number; loss_low: number; loss_high: number; money_month: number; confidence: number; benefit: number; cost: number; payback_months: number | null; flag: string | null; currency: string;
}
interface Budget {
    currency: string; candidates: number; changes: number; money: number; benefit: number; m3_month: number; money_month: number; overdue_cleared: number; due_met: number; horizon_days: number;
    left: { paying: number; not_paying: number; overdue: number; due: number; m3_month: number; money_month: number };
}
const SHOWN = 500, ON_MAP = 200, ALL = 1000000; // changes: those that pay, whatever it costs
const why = (r: Replacement) => (language.get() === 'zh' ? r.reason_zh : r.reason);

async function load(narrow: { zone: string; route: string; dn: string }, signal: AbortSignal) {
    const [rows, whole, zones] = await Promise.all([
        list<Replacement>('/v1/replacements', { ...narrow, limit: SHOWN }, signal),
        get<Budget>('/v1/replacements/budget', { ...narrow, changes: ALL }, signal),
        all<{ zone: string; name: string | null }>('/v1/zones', {}, 2000, signal),
    ]);
    return { rows: rows.rows, more: !!rows.next, whole, zones: zones.rows };
}

/** So many changes, moved by a slider: what they bring, told by the server for that very number. */
function BudgetOf({ narrow, whole, changes, set }: { narrow: { zone: string; route: string; dn: string }; whole: Budget; changes: number; set: (n: number) => void }) {
    const asked = useAsk(async (signal) => (changes ? get<Budget>('/v1/replacements/budget', { ...narrow, changes }, signal) : whole), [narrow.zone, narrow.route, narrow.dn, changes]);
    const b = asked.data ?? whole;
    return (
        <section class="card" aria-labelledby="budget">
            <h2 id="budget">{word('replacements.budget')}</h2>
            <label for="changes">{word('replacements.changes', { n: changes })}</label>
            <input id="changes" type="range" min={1} max={Math.max(1, whole.changes)} value={changes} disabled={!whole.changes} onInput={(e) => set(Number(e.currentTarget.value))} />
            <dl class="facts" aria-live="polite">
                <dt>{word('replacements.cost')}</dt><dd>{number(b.money)} {named('currency', b.currency)}</dd>
                <dt>{word('replacements.recovered')}</dt><dd>{number(b.m3_month, 1)} m³ · {number(b.money_month)} {named('currency', b.currency)}</dd>
                <dt>{word('replacements.benefit')}</dt><dd>{number(b.benefit)} {named('currency', b.currency)}</dd>
                <dt>{word('replacements.duties')}</dt><dd>{word('replacements.duties_n', { over: b.overdue_cleared, soon: b.due_met, days: b.horizon_days })}</dd>
                <dt>{word('replacements.left')}</dt><dd>{word('replacements.left_n', { n: b.left.paying, m3: number(b.left.m3_month, 1) })}</dd>
            </dl>
            <p class="small quiet">{word('replacements.stops', { n: whole.changes, of: whole.candidates })}</p>
        </section>
    );
}

export default function Replacements({ query }: ViewProps) {
    const narrow = { zone: query.get('zone') ?? '', route: query.get('route') ?? '', dn: query.get('dn') ?? '' };
    const asked = useAsk((signal) => load(narrow, signal), [narrow.zone, narrow.route, narrow.dn]);
    const [marked, mark] = useState<Set<string>>(new Set());
    const [picked, pick] = useState<string | undefined>();
    const [wanted, want] = useState<number | null>(null);
    const [said, say] = useState<{ tone: string; text: string } | null>(null);
    const [busy, work] = useState(false);
    const data = asked.data;
    const changes = Math.min(wanted ?? data?.whole.changes ?? 0, data?.whole.changes ?? 0);
    const spots = useMemo<Spot[]>(() => (data?.rows ?? []).slice(0, Math.max(1, Math.min(ON_MAP, changes || ON_MAP))).filter((r) => r.lat !== undefined && r.lon !== undefined).map((r) => ({
        id: r.serial, lat: r.lat!, lon: r.lon!, label: `${r.rank}. ${r.address ?? r.point}`, text: String(r.rank), tint: r.kinds.length ? 'warn' as const : 'one' as const, more: () => why(r),
    })), [data, changes]);

    async function order(rows: Replacement[]): Promise<void> {
        work(true);
        const { left, said: news } = await makeOrders(rows.map((r) => ({ kind: 'replace', serial: r.serial, reason: why(r).slice(0, 200), ...(r.flag ? { flag: r.flag } : {}) })));
        say(news);
        work(false);
        mark(new Set(left));
        asked.again();
    }

    const columns: Column<Replacement>[] = [
        { id: 'rank', head: word('replacements.rank'), cell: (r) => r.rank, sort: (r) => r.rank, end: true, width: '3rem', priority: 1 },
        { id: 'serial', head: word('replacements.meter'), cell: (r) => <a href={link`/meters/${r.serial}`}>{r.serial}</a>, sort: (r) => r.serial, priority: 1, width: '7.5rem' },
        { id: 'address', head: word('replacements.address'), cell: (r) => r.address ?? r.point, sort: (r) => r.address ?? r.point, width: 'minmax(8rem, 2fr)' },
        { id: 'dn', head: 'DN', cell: (r) => r.dn, sort: (r) => r.dn, end: true, width: '4rem', priority: 3 },
        { id: 'why', head: word('replacements.why'), cell: (r) => (r.kinds.length ? r.kinds.map((k) => <Badge key={k} tone="warn">{named('kind', k)}</Badge>) : why(r)), sort: (r) => r.kinds[0] ?? why(r), text: why, width: 'minmax(8rem, 2fr)', priority: 3 },
        { id: 'loss', head: word('replacements.loss'), cell: (r) => `${number(r.loss_m3_month, 1)}`, sort: (r) => r.loss_m3_month, end: true, width: '8.5rem' },
        { id: 'sure', head: word('replacements.sure'), cell: (r) => (r.loss_m3_month > 0 ? percent(r.confidence, 0) : '–'), sort: (r) => r.confidence, end: true, width: '5rem', priority: 3 },
        { id: 'due', head: word('replacements.due'), cell: (r) => day(r.due_on), sort: (r) => r.due_on, width: '7rem', priority: 3 },
        { id: 'benefit', head: `${word('replacements.benefit')}${data ? `, ${named('currency', data.whole.currency)}` : ''}`, cell: (r) => number(r.benefit), sort: (r) => r.benefit, end: true, width: '8.5rem', priority: 1 },
    ];
    return (
        <>
            <div class="head"><h1>{word('replacements.title')}</h1>
                <div class="head-end">
                    <Exports path="/v1/replacements" query={narrow} />
                    <button type="button" onClick={() => window.print()}>{word('replacements.print')}</button>
                    {may('chief') && marked.size > 0 && <button type="button" class="primary" disabled={busy} onClick={() => void order((data?.rows ?? []).filter((r) => marked.has(r.serial)))}>{word('visits.make_orders', { n: marked.size })}</button>}
                </div></div>
            {said && <div class={`strip ${said.tone}`} role="status">{said.text}</div>}
            <Answer asked={asked}>{(d) => (
                <>
                    <div class="row-of gap-bottom noprint">
                        <label>{word('point.zone')} <select value={narrow.zone} onChange={(e) => { want(null); filter({ zone: e.currentTarget.value }); }}><option value="">{word('review.all')}</option>{d.zones.map((z) => <option key={z.zone} value={z.zone}>{z.name ?? z.zone}</option>)}</select></label>
                        <label>DN <select value={narrow.dn} onChange={(e) => { want(null); filter({ dn: e.currentTarget.value }); }}><option value="">{word('review.all')}</option>{[15, 20, 25, 32, 40, 50, 80, 100, 150, 200].map((n) => <option key={n} value={n}>{n}</option>)}</select></label>
                        {may('chief') && d.rows.length > 0 && <button type="button" class="quiet" onClick={() => mark(new Set(d.rows.slice(0, changes).map((r) => r.serial)))}>{word('replacements.mark_first', { n: Math.min(changes, d.rows.length) })}</button>}
                    </div>
                    <div class="cols">
                        <div class="w4 stack noprint">
                            <BudgetOf narrow={narrow} whole={d.whole} changes={changes} set={want} />
                        </div>
                        <div class="w8 noprint"><PlaceMap name={word('replacements.map')} spots={spots} picked={picked} pick={pick} height="22rem" /></div>
                    </div>
                    <div class="gap-top noprint">
                        <Table name={word('replacements.title')} columns={columns} rows={d.rows} id={(r) => r.serial} active={(r) => pick(r?.serial)} marked={may('chief') ? marked : undefined} mark={may('chief') ? mark : undefined} empty={word('replacements.none')} more={d.more} />
                    </div>
                    <Sheet rows={d.rows.filter((r) => (marked.size ? marked.has(r.serial) : r.rank <= Math.max(changes, 1)))} />
                </>
            )}</Answer>
        </>
    );
}

/** What goes to paper: the rows that are marked, or those within the budget, with room to write. */
function Sheet({ rows }: { rows: Replacement[] }) {
    return (
        <table class="sheet printonly">
            <thead><tr><th>#</th><th>{word('replacements.meter')}</th><th>{word('replacements.address')}</th><th>DN</th><th>{word('replacements.why')}</th><th>{word('replacements.loss')}</th><th>{word('replacements.new_serial')}</th><th>{word('replacements.indexes')}</th></tr></thead>
            <tbody>{rows.map((r) => <tr key={r.serial}><td>{r.rank}</td><td>{r.serial}</td><td>{r.address ?? r.point}</td><td>{r.dn}</td><td>{why(r)}</td><td class="end">{number(r.loss_m3_month, 1)}</td><td class="write" /><td class="write" /></tr>)}</tbody>
        </table>
    );
}
