// Verification: how many fall due in which month, and which meters those are.
import { all } from '../base/api';
import { useAsk } from '../base/ask';
import { addDays, day, number, today } from '../base/format';
import { filter, link } from '../base/router';
import { named, word } from '../base/words';
import { Badge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';

interface Due { serial: string; point: string | null; state: string; dn: number; zone: string | null; route: string | null; legal_due: string | null; days_left: number | null }
interface Count { month: string | null; fitted: number; store: number; overdue: number; never_verified: number }
const MONTHS = 24, SHOWN = 5000;
const monthAfter = (m: string): string => addDays(`${m}-28`, 4).slice(0, 7);

async function load(month: string, signal: AbortSignal) {
    const first = today().slice(0, 7);
    const months = [first];
    while (months.length < MONTHS) months.push(monthAfter(months[months.length - 1]));
    const window = { from: `${first}-01`, to: `${monthAfter(months[MONTHS - 1])}-01` };
    const [counts, due] = await Promise.all([
        all<Count>('/v1/verifications/summary', { ...window, by: 'month' }, 100, signal),
        month === 'overdue' ? all<Due>('/v1/verifications/overdue', {}, SHOWN, signal) : all<Due>('/v1/verifications/due', { from: `${month}-01`, to: `${monthAfter(month)}-01` }, SHOWN, signal),
    ]);
    return { months: months.map((m) => counts.rows.find((c) => c.month === m) ?? { month: m, fitted: 0, store: 0, overdue: 0, never_verified: 0 }), rest: counts.rows.filter((c) => c.month === null), all: counts.rows, due: due.rows, more: due.more, first };
}

/** Bars that are buttons: each says its month and its figure in words. */
function Bars({ months, month }: { months: Count[]; month: string }) {
    const most = Math.max(1, ...months.map((m) => m.fitted + m.store));
    return (
        <ul class="bars" aria-label={word('verifications.by_month')}>{months.map((m) => (
            <li key={m.month}>
                <button type="button" aria-pressed={m.month === month} aria-label={word('verifications.bar', { month: m.month!, n: m.fitted, store: m.store })} onClick={() => filter({ month: m.month })}>
                    <span class="bar-n">{m.fitted ? number(m.fitted) : ''}</span>
                    <span class="bar-of" style={{ height: `${(100 * m.fitted) / most}%` }} />
                    <span class="bar-m">{m.month!.slice(5) === '01' ? m.month!.slice(0, 4) : m.month!.slice(5)}</span>
                </button>
            </li>
        ))}</ul>
    );
}

export default function Verifications({ query }: ViewProps) {
    const month = query.get('month') ?? today().slice(0, 7);
    const asked = useAsk((signal) => load(month, signal), [month]);
    const columns: Column<Due>[] = [
        { id: 'serial', head: word('replacements.meter'), cell: (d) => <a href={link`/meters/${d.serial}`}>{d.serial}</a>, sort: (d) => d.serial, priority: 1 },
        { id: 'point', head: word('review.point'), cell: (d) => (d.point ? <a href={link`/points/${d.point}`}>{d.point}</a> : named('meter_state', d.state)), sort: (d) => d.point, priority: 1 },
        { id: 'dn', head: 'DN', cell: (d) => d.dn, sort: (d) => d.dn, end: true, width: '4.5rem' },
        { id: 'due', head: word('verifications.due'), cell: (d) => day(d.legal_due), sort: (d) => d.legal_due },
        { id: 'left', head: word('verifications.left'), cell: (d) => (d.days_left === null ? <Badge tone="bad">{word('verifications.never')}</Badge> : d.days_left < 0 ? <Badge tone="bad">{number(d.days_left)}</Badge> : number(d.days_left)), sort: (d) => d.days_left, end: true },
        { id: 'zone', head: word('point.zone'), cell: (d) => d.zone ?? '–', sort: (d) => d.zone, priority: 3 },
        { id: 'route', head: word('point.route'), cell: (d) => d.route ?? '–', sort: (d) => d.route, priority: 3 },
    ];
    return (
        <>
            <div class="head"><h1>{word('verifications.title')}</h1><div class="head-end">
                <Exports path={month === 'overdue' ? '/v1/verifications/overdue' : '/v1/verifications/due'} query={month === 'overdue' ? {} : { from: `${month}-01`, to: `${monthAfter(month)}-01` }} /></div></div>
            <Answer asked={asked}>{(d) => {
                const overdue = d.all.reduce((n, c) => n + c.overdue, 0), never = d.all.reduce((n, c) => n + c.never_verified, 0);
                return (
                    <>
                        <ul class="figures">
                            <li><button type="button" class={`figure${month === 'overdue' ? ' chosen' : ''}`} aria-pressed={month === 'overdue'} onClick={() => filter({ month: 'overdue' })}><b>{number(overdue)}</b><span>{word('verifications.overdue')}</span></button></li>
                            <li class="figure"><b>{number(never)}</b><span>{word('verifications.never_verified')}</span></li>
                            <li class="figure"><b>{number(d.months.reduce((n, m) => n + m.fitted, 0))}</b><span>{word('verifications.in_months', { n: MONTHS })}</span></li>
                            <li class="figure"><b>{number(d.months.reduce((n, m) => n + m.store, 0))}</b><span>{word('verifications.in_store')}</span></li>
                        </ul>
                        <section class="card" aria-labelledby="by-month"><h2 id="by-month">{word('verifications.by_month')}</h2><Bars months={d.months} month={month} /></section>
                        <section class="gap-top" aria-labelledby="which">
                            <h2 id="which">{month === 'overdue' ? word('verifications.overdue') : word('verifications.due_in', { month })}</h2>
                            <Table name={word('verifications.title')} columns={columns} rows={d.due} id={(r) => r.serial} empty={word('verifications.none')} more={d.more} height="26rem" />
                        </section>
                    </>
                );
            }}</Answer>
        </>
    );
}
