// What depots and crews hold, counted by state; the notes by which meters came and went.
import { all } from '../base/api';
import { useAsk } from '../base/ask';
import { day, number, when } from '../base/format';
import { filter, link } from '../base/router';
import { named, word } from '../base/words';
import { Badge, StateBadge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Stock { holder_kind: string | null; holder: string | null; model: string | null; dn: number; q3: number | null; state: string; meters: number; earliest_due: string | null; under_a_year: number; overdue: number; unverified: number }
interface Paper { paper: string; kind: string; number: string; at: string; meters: number; batch: string | null; depot: string | null; crew: string | null }
const states = ['received', 'verified', 'in-stock', 'issued', 'removed', 'at-lab', 'rejected', 'retired'];

async function load(signal: AbortSignal) {
    const [stock, papers] = await Promise.all([all<Stock>('/v1/stock', {}, 20000, signal), all<Paper>('/v1/papers', {}, 5000, signal)]);
    return { stock: stock.rows, papers: papers.rows, more: papers.more };
}

export default function StockPage({ query }: ViewProps) {
    const state = query.get('state') ?? '';
    const asked = useAsk(load, []);
    const columns: Column<Stock>[] = [
        { id: 'holder', head: word('stock.holder'), cell: (s) => (s.holder ? `${named('holder', s.holder_kind)} ${s.holder}` : word('stock.nowhere')), sort: (s) => s.holder, priority: 1 },
        { id: 'model', head: word('stock.model'), cell: (s) => s.model ?? '–', sort: (s) => s.model },
        { id: 'dn', head: 'DN', cell: (s) => s.dn, sort: (s) => s.dn, end: true, width: '4.5rem' },
        { id: 'state', head: word('stock.state'), cell: (s) => <StateBadge section="meter_state" value={s.state} />, sort: (s) => states.indexOf(s.state), priority: 1 },
        { id: 'meters', head: word('stock.meters'), cell: (s) => number(s.meters), sort: (s) => s.meters, end: true, priority: 1, width: '6rem' },
        { id: 'due', head: word('stock.earliest'), cell: (s) => day(s.earliest_due), sort: (s) => s.earliest_due, priority: 3 },
        { id: 'year', head: word('stock.under_a_year'), cell: (s) => (s.under_a_year ? <Badge tone="warn">{number(s.under_a_year)}</Badge> : '0'), sort: (s) => s.under_a_year, end: true, priority: 3 },
        { id: 'over', head: word('stock.overdue'), cell: (s) => (s.overdue ? <Badge tone="bad">{number(s.overdue)}</Badge> : '0'), sort: (s) => s.overdue, end: true, priority: 3 },
        { id: 'never', head: word('stock.unverified'), cell: (s) => number(s.unverified), sort: (s) => s.unverified, end: true, priority: 3 },
    ];
    const papers: Column<Paper>[] = [
        { id: 'paper', head: word('stock.note'), cell: (p) => <a href={link`/papers/${p.paper}`}>{p.number}</a>, sort: (p) => p.number, priority: 1 },
        { id: 'kind', head: word('stock.kind'), cell: (p) => named('paper_kind', p.kind), sort: (p) => p.kind, priority: 1 },
        { id: 'at', head: word('stock.at'), cell: (p) => when(p.at), sort: (p) => p.at, width: '10rem' },
        { id: 'meters', head: word('stock.meters'), cell: (p) => number(p.meters), sort: (p) => p.meters, end: true, width: '6rem' },
        { id: 'to', head: word('stock.holder'), cell: (p) => p.crew ?? p.depot ?? p.batch ?? '–', sort: (p) => p.crew ?? p.depot ?? p.batch, priority: 3 },
    ];
    return (
        <>
            <div class="head"><h1>{word('stock.title')}</h1><div class="head-end"><Exports path="/v1/stock" /></div></div>
            <Answer asked={asked}>{(d) => {
                const sum = (s: string) => d.stock.filter((r) => r.state === s).reduce((n, r) => n + r.meters, 0);
                return (
                    <>
                        <ul class="figures">{states.filter((s) => sum(s) > 0).map((s) => <li key={s}><button type="button" class={`figure${state === s ? ' chosen' : ''}`} aria-pressed={state === s} onClick={() => filter({ state: state === s ? null : s })}><b>{number(sum(s))}</b><span>{named('meter_state', s)}</span></button></li>)}</ul>
                        <Table name={word('stock.title')} columns={columns} rows={d.stock.filter((s) => !state || s.state === state)} id={(s) => `${s.holder_kind} ${s.holder} ${s.model} ${s.dn} ${s.q3} ${s.state}`} empty={word('stock.none')} height="24rem" />
                        <section class="gap-top" aria-labelledby="notes">
                            <div class="head"><h2 id="notes">{word('stock.notes')}</h2><div class="head-end"><Exports path="/v1/papers" /></div></div>
                            <Table name={word('stock.notes')} columns={papers} rows={d.papers} id={(p) => p.paper} sorted={['at', false]} empty={word('stock.no_notes')} more={d.more} height="20rem" />
                        </section>
                    </>
                );
            }}</Answer>
        </>
    );
}
