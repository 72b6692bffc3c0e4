// The dispatcher's day, for a desk and for a wall: what arrives, which cells are silent, what was flagged since yesterday, which orders are late or due.
import { useCallback, useEffect, useState } from 'preact/hooks';
import { list } from '../base/api';
import { useAsk } from '../base/ask';
import { now } from '../base/facts';
import { addDays, ago, begins, clock, day, m3, number, today, when } from '../base/format';
import { hear, useLive } from '../base/live';
import { go, link } from '../base/router';
import { language, named, word } from '../base/words';
import { Badge, StateBadge } from '../parts/badge';
import { Exports } from '../parts/exports';
import { Answer, Empty } from '../parts/states';
import { Table, type Column } from '../parts/table';

interface Flag { id: string; kind: string; serial: string | null; point: string | null; cell: string | null; zone: string | null; raised_at: string; onset: string; severity: string; lost_lpd: number | null; evidence: Record<string, number | string>; text_en: string; text_zh: string }
interface Order { order: string; kind: string; state: string; priority: string; assignee: string | null; due: string; late: boolean; address: string | null; point: string | null; serial: string | null }
interface Rate { per_s: number; records: number; at: string }

const SAMPLES = 60, HOURS = 24, MOST = 1000, CARDS = 200;
const text_of = (f: Flag): string => (language.get() === 'zh' ? f.text_zh : f.text_en);

/** The last minute or more of what arrived, a bar a second that differed. */
function Arrivals() {
    const [seen, put] = useState<Rate[]>([]);
    useEffect(() => hear(['arrivals'], (e) => put((s) => [...s, e.data as unknown as Rate].slice(-SAMPLES))), []);
    const last = seen[seen.length - 1], most = Math.max(1, ...seen.map((r) => r.per_s));
    return (
        <li class="figure wide">
            <b>{last ? number(last.per_s, last.per_s < 10 ? 1 : 0) : '–'} <small>{word('today.per_s')}</small></b>
            <svg class="spark" viewBox={`0 0 ${SAMPLES * 4} 32`} preserveAspectRatio="none" aria-hidden="true">
                {seen.map((r, n) => <rect key={n} x={(SAMPLES - seen.length + n) * 4} y={32 - (r.per_s / most) * 32} width="3" height={Math.max(0.5, (r.per_s / most) * 32)} />)}
            </svg>
            <span>{last ? word('today.arrivals', { n: last.records, at: clock(last.at) }) : word('today.arrivals_wait')}</span>
        </li>
    );
}

function Figure({ value, text, tone }: { value: string; text: string; tone?: 'bad' | 'warn' }) {
    return <li class={`figure${tone ? ` ${tone}` : ''}`}><b>{value}</b><span>{text}</span></li>;
}

function Outages({ rows }: { rows: Flag[] }) {
    if (!rows.length) return <Empty>{word('today.no_outages')}</Empty>;
    return (
        <ul class="cards">{rows.map((f) => (
            <li key={f.id} class="card outage"><div><strong>{f.zone ? word('today.zone', { zone: f.zone }) : word('today.cell', { cell: f.cell ?? '–' })}</strong> <StateBadge section="severity" value={f.severity} /></div>
                <p>{text_of(f)}</p><span class="quiet small">{word('today.since', { at: when(f.onset) })}</span></li>
        ))}</ul>
    );
}

function Cards({ title, rows, more }: { title: string; rows: Order[]; more: boolean }) {
    return (
        <section class="board-column" aria-label={title}>
            <h3>{title} <span class="quiet">{number(rows.length)}{more ? '+' : ''}</span></h3>
            {rows.length === 0 ? <p class="quiet small">{word('today.no_orders')}</p> : (
                <ul>{rows.map((o) => (
                    <li key={o.order}><a class="stop" href={link`/orders/${o.order}`}><span class="stop-text">
                        <strong>{o.address ?? o.point ?? o.serial}</strong>
                        <span class="small">{named('order_kind', o.kind)} · {o.assignee ?? word('today.nobody')}</span>
                        <span class="row-of small"><Badge tone={o.late ? 'bad' : 'plain'}>{day(o.due) === today() ? clock(o.due) : day(o.due)}</Badge> <StateBadge section="order_state" value={o.state} /></span>
                    </span></a></li>
                ))}</ul>
            )}
        </section>
    );
}

export default function TodayDispatch() {
    const flags = useAsk((signal) => list<Flag>('/v1/flags', { state: 'open', since: yesterday, limit: MOST }, signal), []);
    const outages = useAsk((signal) => list<Flag>('/v1/flags', { kind: 'outage', state: 'open', limit: 100 }, signal), []);
    const yesterday = new Date(now() - HOURS * 3600e3).toISOString().replace(/\.\d+Z/, 'Z');
    const tomorrow = begins(addDays(today(), 1));
    const late = useAsk((signal) => list<Order>('/v1/orders', { late: true, limit: CARDS }, signal), []);
    const due = useAsk((signal) => list<Order>('/v1/orders', { late: false, due_before: tomorrow, limit: CARDS }, signal), [tomorrow]);
    const begun = useAsk((signal) => list<Order>('/v1/orders', { state: 'started', limit: CARDS }, signal), []);
    useLive(['flag'], useCallback(() => flags.again(), []));
    useLive(['outage', 'flag'], useCallback(() => outages.again(), []));
    useLive(['order', 'tour'], useCallback(() => { late.again(); due.again(); begun.again(); }, []));
    const columns: Column<Flag>[] = [
        { id: 'kind', head: word('today.kind'), cell: (f) => named('kind', f.kind), sort: (f) => named('kind', f.kind), priority: 1, width: 'minmax(9.5rem, 11rem)' },
        { id: 'severity', head: word('today.severity'), cell: (f) => <StateBadge section="severity" value={f.severity} />, sort: (f) => ['urgent', 'high', 'medium', 'low'].indexOf(f.severity), width: '8rem' },
        { id: 'point', head: word('today.point'), cell: (f) => f.point ?? '–', sort: (f) => f.point, priority: 1 },
        { id: 'serial', head: word('today.serial'), cell: (f) => f.serial ?? '–', sort: (f) => f.serial },
        { id: 'lost', head: word('today.lost'), cell: (f) => (f.lost_lpd ? m3(f.lost_lpd) : '–'), sort: (f) => f.lost_lpd, end: true },
        { id: 'raised', head: word('today.raised'), cell: (f) => ago(f.raised_at), sort: (f) => f.raised_at, priority: 2 },
        { id: 'text', head: word('today.text'), cell: text_of, width: 'minmax(12rem, 3fr)', priority: 3 },
    ];
    const count = (a: { data?: { rows: unknown[]; next: string | null } }): string => (a.data ? `${number(a.data.rows.length)}${a.data.next ? '+' : ''}` : '–');
    return (
        <>
            <h1>{word('today.title')}</h1>
            <ul class="figures">
                <Arrivals />
                <Figure value={count(outages)} text={word('today.silent_cells')} tone={outages.data?.rows.length ? 'bad' : undefined} />
                <Figure value={count(flags)} text={word('today.new_flags')} />
                <Figure value={count(late)} text={word('today.late_orders')} tone={late.data?.rows.length ? 'warn' : undefined} />
                <Figure value={count(due)} text={word('today.due_orders')} />
            </ul>
            <div class="cols">
                <section class="w4" aria-labelledby="outages-title"><h2 id="outages-title">{word('today.outages')}</h2><Answer asked={outages}>{(d) => <Outages rows={d.rows} />}</Answer></section>
                <section class="w8" aria-labelledby="orders-title"><div class="head"><h2 id="orders-title">{word('today.orders')}</h2><div class="head-end"><Exports path="/v1/orders" query={{ due_before: tomorrow }} /></div></div>
                    <div class="board">
                        <Answer asked={late}>{(d) => <Cards title={word('today.late')} rows={d.rows} more={!!d.next} />}</Answer>
                        <Answer asked={due}>{(d) => <Cards title={word('today.due')} rows={d.rows} more={!!d.next} />}</Answer>
                        <Answer asked={begun}>{(d) => <Cards title={word('today.begun')} rows={d.rows} more={!!d.next} />}</Answer>
                    </div>
                </section>
            </div>
            <section aria-labelledby="open-flags">
                <div class="head"><h2 id="open-flags">{word('today.flags_since')}</h2><div class="head-end"><Exports path="/v1/flags" query={{ state: 'open', since: yesterday }} /></div></div>
                <Answer asked={flags}>{(data) => <Table name={word('today.flags_since')} columns={columns} rows={data.rows} id={(f) => f.id} open={(f) => go(link`/flags/${f.id}`)} sorted={['raised', false]} empty={word('today.no_flags')} more={!!data.next} height="28rem" />}</Answer>
            </section>
        </>
    );
}
