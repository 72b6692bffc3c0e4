// A service point: whose it is, which meters were there, what it used by month, how each figure was reckoned, what was settled in the year.
import { useState } from 'preact/hooks';
import { all, at, get } from '../base/api';
import { useAsk } from '../base/ask';
import { addDays, begins, day, m3, number, today, when } from '../base/format';
import { filter, link } from '../base/router';
import { named, word } from '../base/words';
import { StateBadge } from '../parts/badge';
import { Chart } from '../parts/chart';
import { Exports } from '../parts/exports';
import { Answer, Empty } from '../parts/states';
import { Table, type Column } from '../parts/table';
import type { ViewProps } from '../views';
import { Reckoned } from './reckoned';

interface Point { point: string; account?: string; address?: string; use_class?: string; zone?: string; route?: string; route_seq?: number; phone?: string; lon?: number; lat?: number; behind?: string }
interface Fitting { point: string; serial: string; from: string; to: string | null; start_index_l: number | null; end_index_l: number | null; reason: string | null }
interface Use { from: string; to: string; consumption_l: number | null; billed_m3: number | null; quality: string; method: string | null; checks: string[] }
interface Tier { year: number; m3: number; billed_m3: number; adjusted_m3: number; cycles: number; missing: number; open_m3: number | null; open_from: string | null }

const steps = ['day', 'month'] as const;

async function load(point: string, step: string, signal: AbortSignal) {
    const to = today(), from = step === 'day' ? addDays(to, -62) : `${Number(to.slice(0, 4)) - 1}-${to.slice(5, 7)}-01`; // to the end of yesterday
    const [p, fittings, uses, tier] = await Promise.all([
        get<Point>(at`/v1/points/${point}`, {}, signal),
        all<Fitting>('/v1/fittings', { point }, 500, signal),
        all<Use>(at`/v1/points/${point}/consumption`, { from: begins(from), to: begins(to), step }, 500, signal),
        get<Tier>(at`/v1/points/${point}/tier`, { year: to.slice(0, 4) }, signal),
    ]);
    const fitted = Math.min(...fittings.rows.map((f) => Date.parse(f.from))); // nothing was used, nor read, before there was a meter
    return { point: p, fittings: fittings.rows, uses: uses.rows.filter((u) => Date.parse(u.to) > fitted), tier };
}

function Uses({ point, uses }: { point: string; uses: Use[] }) {
    const [here, stand] = useState<Use | undefined>();
    const columns: Column<Use>[] = [
        { id: 'from', head: word('cycles.from'), cell: (u) => day(u.from), sort: (u) => u.from, priority: 1, width: '7.5rem' },
        { id: 'use', head: word('cycles.use'), cell: (u) => m3(u.consumption_l), sort: (u) => u.consumption_l, end: true, priority: 1 },
        { id: 'quality', head: word('review.quality'), cell: (u) => <StateBadge section="quality" value={u.quality} />, sort: (u) => u.quality, width: '8rem' },
        { id: 'checks', head: word('determinants.checks'), cell: (u) => u.checks.map((c) => named('check', c)).join(', '), sort: (u) => u.checks[0], priority: 3 },
    ];
    return (
        <div class="cols gap-top">
            <div class="w6"><Table name={word('point.use')} columns={columns} rows={uses} id={(u) => u.from} active={stand} sorted={['from', false]} empty={word('point.no_use')} height="24rem" filter={false} /></div>
            {here && <section class="card w6" aria-label={word('point.reckoned')}><h3>{word('point.reckoned')} {day(here.from)} – {day(here.to)}</h3><Reckoned key={here.from} point={point} from={here.from} to={here.to} /></section>}
        </div>
    );
}

export default function PointPage({ names, query }: ViewProps) {
    const { point } = names, step = query.get('step') === 'day' ? 'day' : 'month';
    const asked = useAsk((signal) => load(point, step, signal), [point, step]);
    return (
        <Answer asked={asked}>{({ point: p, fittings, uses, tier }) => (
            <>
                <div class="head"><h1>{p.address ?? p.point} <span class="quiet small">{p.address ? p.point : ''}</span></h1>
                    <div class="head-end"><a class="button" href={`#/flags?point=${encodeURIComponent(point)}`}>{word('point.flags')}</a><a class="button" href={`#/edits?point=${encodeURIComponent(point)}`}>{word('edits.title')}</a></div></div>
                <div class="cols">
                    <section class="card w4" aria-labelledby="facts">
                        <h2 id="facts">{word('point.facts')}</h2>
                        <dl class="facts">
                            <dt>{word('determinants.account')}</dt><dd>{p.account ?? '–'}</dd>
                            <dt>{word('point.use_class')}</dt><dd>{named('use_class', p.use_class)}</dd>
                            <dt>{word('point.route')}</dt><dd>{p.route ? <a href={link`/routes/${p.route}/day/${today()}`}>{p.route}{p.route_seq !== undefined ? ` · ${p.route_seq}` : ''}</a> : '–'}</dd>
                            <dt>{word('point.zone')}</dt><dd>{p.zone ?? '–'}</dd>
                            {p.behind && <><dt>{word('point.behind')}</dt><dd><a href={link`/points/${p.behind}`}>{p.behind}</a></dd></>}
                            <dt>{word('point.phone')}</dt><dd>{p.phone ?? '–'}</dd>
                        </dl>
                    </section>
                    <section class="card w4" aria-labelledby="meters">
                        <div class="head"><h2 id="meters">{word('point.meters')}</h2><div class="head-end"><Exports path="/v1/fittings" query={{ point }} /></div></div>
                        {fittings.length === 0 ? <p class="quiet">{word('point.no_meter')}</p> : (
                            <ul class="lines">{[...fittings].reverse().slice(0, 12).map((f) => (
                                <li key={f.serial + f.from}><a href={link`/meters/${f.serial}`}>{f.serial}</a> <span>{day(f.from)} – {f.to ? day(f.to) : word('point.now')}</span> <span class="quiet small">{m3(f.start_index_l)} → {f.to ? m3(f.end_index_l) : ''}</span></li>
                            ))}</ul>
                        )}
                    </section>
                    <section class="card w4" aria-labelledby="year">
                        <h2 id="year">{word('point.year', { year: String(tier.year) })}</h2>
                        <dl class="facts">
                            <dt>{word('point.settled')}</dt><dd><strong>{number(tier.m3)} m³</strong></dd>
                            <dt>{word('point.of_cycles', { n: tier.cycles })}</dt><dd>{number(tier.billed_m3)} m³</dd>
                            <dt>{word('point.adjusted')}</dt><dd>{number(tier.adjusted_m3)} m³</dd>
                            {tier.missing > 0 && <><dt>{word('cycles.missing')}</dt><dd>{number(tier.missing)}</dd></>}
                            {tier.open_from && <><dt>{word('point.since', { at: when(tier.open_from) })}</dt><dd>{number(tier.open_m3)} m³</dd></>}
                        </dl>
                    </section>
                </div>
                <section class="card gap-top" aria-labelledby="use">
                    <div class="head"><h2 id="use">{word('point.use')}</h2>
                        <div class="head-end">
                            <span class="chips" role="group" aria-label={word('point.step')}>{steps.map((s) => <button key={s} type="button" aria-pressed={s === step} onClick={() => filter({ step: s })}>{named('step', s)}</button>)}</span>
                            <Exports path={at`/v1/points/${point}/consumption`} query={{ from: uses[0]?.from, to: uses[uses.length - 1]?.to, step }} />
                        </div></div>
                    {uses.length === 0 ? <Empty>{word('point.no_use')}</Empty> : (
                        <>
                            <Chart name={word('point.use')} unit="m³" height={220} span={[Date.parse(uses[0].from) / 1000, Date.parse(uses[uses.length - 1].to) / 1000]} x={uses.map((u) => Date.parse(u.from) / 1000)} lines={[{ label: word('cycles.use'), as: 'bars', values: uses.map((u) => (u.consumption_l === null ? null : u.consumption_l / 1000)) }]} />
                            <Uses point={point} uses={uses} />
                        </>
                    )}
                </section>
            </>
        )}</Answer>
    );
}
