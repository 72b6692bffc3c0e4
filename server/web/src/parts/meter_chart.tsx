// A meter over time: use as flow in each bucket, the register beside it, suspect readings as crosses, gaps as grey windows.
// Zooming asks the server for the span anew, so that years and hours both have their right width (GET /v1/meters/{serial}/series).
import { useEffect, useMemo, useState } from 'preact/hooks';
import { at, get } from '../base/api';
import { useAsk } from '../base/ask';
import { now } from '../base/facts';
import { duration, m3, number } from '../base/format';
import { named, word } from '../base/words';
import { Chart, type Dot, type Limit, type Line, type Mark } from './chart';
import { Answer, Empty } from './states';

interface Series {
    channel: string; from: string; to: string; step_s: number; width_s: number; t: number[]; last_l: (number | null)[]; use_l?: (number | null)[];
    flow_min_lph?: (number | null)[]; flow_max_lph?: (number | null)[]; gaps: { from: number[]; to: number[]; use_l: (number | null)[] }; moved_l: number | null;
    suspect: { t: number[]; index_l: number[]; rule: string[] };
}

/** A flow that evidence names, in litres an hour. */
export interface FlowLimit { lph: number; label: string }
export interface MeterChartProps {
    serial: string;
    days?: number;             // what is in sight at first, back from `until`; default: 30
    until?: number;            // seconds; default: now
    marks?: Mark[];
    limits?: FlowLimit[];
    height?: number;
    plain?: boolean;           // small, without register and zoom: beside a table
    changed?: unknown;         // another value loads it anew
}

const REST_MS = 120;
const DAY_S = 86400, LEAST_S = 3 * 3600, MOST_S = 40 * 366 * DAY_S;

/** Beside a table it waits until the hand rests: who walks through the rows asks for no chart of each. */
export function MeterChart(p: MeterChartProps) {
    const [rests, put] = useState(!p.plain);
    useEffect(() => {
        const timer = window.setTimeout(() => put(true), REST_MS);
        return () => window.clearTimeout(timer);
    }, []);
    return rests ? <Loaded {...p} /> : <div style={{ height: `${p.height ?? 280}px` }} />;
}

function Loaded(p: MeterChartProps) {
    const end = p.until ?? now() / 1000;
    const first: [number, number] = [end - (p.days ?? 30) * DAY_S, end];
    const [span, put] = useState<[number, number] | 'all'>(first);
    const asked = useAsk((signal) => get<Series>(at`/v1/meters/${p.serial}/series`, {
        points: p.plain ? 240 : 720,
        ...(span === 'all' ? {} : { from: new Date(span[0] * 1000).toISOString().slice(0, 19) + 'Z', to: new Date(span[1] * 1000).toISOString().slice(0, 19) + 'Z' }),
    }, signal), [p.serial, span === 'all' ? 'all' : span.join(), p.plain, p.changed]);
    return <Answer asked={asked}>{(s) => <Drawn p={p} s={s} span={span} put={put} first={first} />}</Answer>;
}

function Drawn({ p, s, span, put, first }: { p: MeterChartProps; s: Series; span: [number, number] | 'all'; put: (s: [number, number] | 'all') => void; first: [number, number] }) {
    const daily = s.width_s >= DAY_S;
    const made = useMemo(() => {
        const use = (s.use_l ?? s.t.map(() => null)).map((l) => (l === null ? null : daily ? l / 1000 * (DAY_S / s.width_s) : (l * 3600) / s.width_s));
        const lines: Line[] = [{ label: daily ? word('chart.use_day') : word('chart.use_hour'), values: use, as: 'bars', tint: 'one', decimals: daily ? 3 : 1 }];
        if (daily && s.flow_min_lph && !p.plain) lines.push({ label: word('chart.least_flow'), values: s.flow_min_lph.map((f) => (f === null ? null : (f * 24) / 1000)), as: 'line', tint: 'two' });
        if (!p.plain) lines.push({ label: word('chart.register'), values: s.last_l.map((l) => (l === null ? null : l / 1000)), as: 'line', tint: 'quiet', axis: 'right' });
        const limits: Limit[] = (p.limits ?? []).filter((l, n, of) => of.findIndex((o) => Math.abs(o.lph - l.lph) < 0.01 * l.lph) === n).slice(0, p.plain ? 2 : 6).map((l) => ({ value: daily ? (l.lph * 24) / 1000 : l.lph, label: l.label }));
        const gaps: Mark[] = s.gaps.from.map((from, n) => ({ at: from, until: s.gaps.to[n], label: p.plain ? '' : word('chart.gap', { span: duration(s.gaps.to[n] - from) }), tint: 'quiet' as const }));
        const dots: Dot[] = p.plain ? [] : s.suspect.t.map((t, n) => ({ at: t, value: s.suspect.index_l[n] / 1000, axis: 'right' as const, label: named('rule', s.suspect.rule[n]) }));
        return { lines, limits, marks: [...gaps, ...(p.marks ?? [])], dots };
    }, [s, p.marks, p.limits, word('chart.register')]);
    const shown: [number, number] = span === 'all' ? [Date.parse(s.from) / 1000, Date.parse(s.to) / 1000] : span;
    const zoom = (from: number, to: number) => {
        const width = Math.max(LEAST_S, Math.min(MOST_S, to - from)), middle = (from + to) / 2;
        put([Math.round(middle - width / 2), Math.round(middle + width / 2)]);
    };
    if (s.t.length === 0 && p.plain) return <Empty>{word('chart.nothing')}</Empty>;
    return (
        <>
            {!p.plain && (
                <div class="chips noprint" role="group" aria-label={word('chart.span')}>
                    {[1, 7, 30, 90, 366].map((d) => (
                        <button key={d} type="button" aria-pressed={span !== 'all' && Math.abs(span[1] - span[0] - d * DAY_S) < 5} onClick={() => put([first[1] - d * DAY_S, first[1]])}>{d === 366 ? word('chart.year') : word('base.days', { n: d })}</button>
                    ))}
                    <button type="button" aria-pressed={span === 'all'} onClick={() => put('all')}>{word('chart.all')}</button>
                </div>
            )}
            <Chart name={word('chart.of_meter', { serial: p.serial })} unit={daily ? 'm³/d' : 'L/h'} rightUnit="m³" x={s.t} lines={made.lines} marks={made.marks} limits={made.limits} dots={made.dots}
                span={shown} height={p.height} zoom={p.plain ? undefined : zoom} legend={!p.plain} />
            {!p.plain && (
                <p class="small quiet">
                    {s.t.length === 0 ? word('chart.nothing') : word('chart.moved', { m3: m3(s.moved_l), span: duration(s.width_s), step: s.step_s ? duration(s.step_s) : '–' })}
                    {s.suspect.t.length > 0 && ` ${word('chart.suspects', { n: s.suspect.t.length })}`}
                    {s.gaps.from.length > 0 && ` ${word('chart.gaps', { n: s.gaps.from.length, m3: number(s.gaps.use_l.reduce((a: number, b) => a + (b ?? 0), 0) / 1000, 3) })}`}
                </p>
            )}
        </>
    );
}
