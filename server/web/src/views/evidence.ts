// What of a flag's evidence can be drawn: its window, the flows that it was held against, and the instants that it names.
import type { FlowLimit } from '../parts/meter_chart';
import type { Mark } from '../parts/chart';
import { now } from '../base/facts';
import { m3, number, when } from '../base/format';
import { named, word } from '../base/words';

export interface Flag {
    id: string; kind: string; serial: string | null; point: string | null; cell: string | null; zone: string | null; onset: string; raised_at: string; cleared_at: string | null; state: string; severity: string;
    lost_lpd: number | null; lost_low: number | null; lost_high: number | null; confidence: number | null; evidence: Record<string, number | string | boolean>; text_en: string; text_zh: string;
    decided_by: string | null; decided_at: string | null; note: string | null;
}

const seconds = (t: string): number => Date.parse(t) / 1000;

export function markOf(f: Flag): Mark {
    return { at: seconds(f.onset), until: f.cleared_at ? seconds(f.cleared_at) : now() / 1000, label: named('kind', f.kind), tint: f.state === 'dismissed' || f.state === 'withdrawn' ? 'quiet' : 'warn' };
}

/** Instants that the evidence names, besides its window. */
export function instantsOf(f: Flag): Mark[] {
    return Object.entries(f.evidence).filter(([name, v]) => name.endsWith('_at') && typeof v === 'string').map(([name, v]) => ({ at: seconds(v as string), label: named('evidence', name), tint: 'three' as const }));
}

/** Flows: in litres an hour, or a day spread over its hours. Q3 would flatten every chart that it stands in. */
export function limitsOf(f: Flag): FlowLimit[] {
    return Object.entries(f.evidence).flatMap(([name, v]) => {
        if (typeof v !== 'number' || v <= 0 || name === 'q3_lph') return [];
        const lph = name.endsWith('_lph') ? v : name.endsWith('_lpd') ? v / 24 : 0;
        return lph ? [{ lph, label: `${named('evidence', name)} ${figure(name, v)}` }] : [];
    });
}

const units: [RegExp, (v: number) => string][] = [
    [/_lph$/, (v) => `${number(v, v < 10 ? 1 : 0)} L/h`], [/_lpd$/, (v) => `${m3(v)} m³/d`], [/(^|_)l$/, (v) => `${m3(v)} m³`], [/_pct$/, (v) => `${number(v, 1)} %`], [/(_h|_hours|^flowing_hours)$/, (v) => word('base.hours', { n: Math.round(v) })],
    [/(days|_days)$/, (v) => word('base.days', { n: Math.round(v) })], [/_s$/, (v) => `${number(v)} s`], [/_mv$/, (v) => `${number(v)} mV`], [/_mv_per_day$/, (v) => `${number(v, 2)} mV/d`],
];

export function figure(name: string, v: number | string | boolean): string {
    if (typeof v === 'boolean') return word(v ? 'base.yes' : 'base.no');
    if (typeof v === 'string') return /^\d{4}-\d\d-\d\dT/.test(v) ? when(v) : v;
    const unit = units.find(([pattern]) => pattern.test(name));
    return unit ? unit[1](v) : number(v, Number.isInteger(v) ? 0 : 2);
}
