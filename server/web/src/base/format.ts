// Figures as people of the trade write them: m³ by the dial's digits, civil time of the utility, money.
import { now, zone } from './facts';
import { locale, word } from './words';

/** Litres as m³, with so many decimals (a litre has three). null: an en dash. */
export function m3(litres: number | null | undefined, decimals = 3): string {
    return litres === null || litres === undefined ? '–' : number(litres / 1000, decimals);
}

export function number(v: number | null | undefined, decimals = 0): string {
    if (v === null || v === undefined || Number.isNaN(v)) return '–';
    return v.toLocaleString(locale(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A share of 0 to 1. Never rounded up to all, nor down to none. */
export function percent(v: number | null | undefined, decimals = 1): string {
    if (v === null || v === undefined || Number.isNaN(v)) return '–';
    const step = 10 ** -(decimals + 2);
    const shown = v < 1 && v > 1 - step ? 1 - step : v > 0 && v < step ? step : v;
    return shown.toLocaleString(locale(), { style: 'percent', minimumFractionDigits: v === 1 || v === 0 ? 0 : decimals, maximumFractionDigits: v === 1 || v === 0 ? 0 : decimals });
}

export function money(v: number | null | undefined, decimals = 0): string {
    return v === null || v === undefined ? '–' : `¥${number(v, decimals)}`;
}

const parts_of = new Map<string, Intl.DateTimeFormat>();
function civil(ms: number): Record<string, string> {
    let f = parts_of.get(zone());
    if (!f) {
        f = new Intl.DateTimeFormat('en-GB', { timeZone: zone(), hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' });
        parts_of.set(zone(), f);
    }
    return Object.fromEntries(f.formatToParts(ms).map((p) => [p.type, p.value]));
}
const ms_of = (t: string | number): number => (typeof t === 'number' ? t : Date.parse(t));

/** 2026-03-01 */
export function day(t: string | number | null | undefined): string {
    if (t === null || t === undefined || t === '') return '–';
    if (typeof t === 'string' && t.length === 10) return t;
    const c = civil(ms_of(t));
    return `${c.year}-${c.month}-${c.day}`;
}
/** 14:05 */
export function clock(t: string | number): string {
    const c = civil(ms_of(t));
    return `${c.hour}:${c.minute}`;
}
/** 2026-03-01 14:05 */
export const when = (t: string | number | null | undefined): string => (t === null || t === undefined || t === '' ? '–' : `${day(t)} ${clock(t)}`);
export const month = (t: string | number): string => day(t).slice(0, 7);
export const today = (): string => day(now());

/** The instant at which a civil day begins, as the API takes it. Days of 23 and 25 hours begin where the zone says. */
export function begins(civil_day: string): string {
    const utc = Date.parse(`${civil_day}T00:00:00Z`);
    let ms = utc;
    for (let n = 0; n < 3; n++) {
        const c = civil(ms);
        ms -= Date.parse(`${c.year}-${c.month}-${c.day}T${c.hour}:${c.minute}:${c.second}Z`) - utc;
    }
    return new Date(ms).toISOString().replace('.000Z', 'Z');
}
export function addDays(civil_day: string, n: number): string {
    return new Date(Date.parse(`${civil_day}T00:00:00Z`) + n * 86400e3).toISOString().slice(0, 10);
}

/** "3 h": of a span. */
export function duration(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined) return '–';
    const s = Math.max(0, seconds);
    if (s < 90) return word('base.seconds', { n: Math.round(s) });
    if (s < 5400) return word('base.minutes', { n: Math.round(s / 60) });
    if (s < 129600) return word('base.hours', { n: Math.round(s / 3600) });
    return word('base.days', { n: Math.round(s / 86400) });
}
/** "3 h ago" */
export function ago(t: string | number | null | undefined): string {
    if (t === null || t === undefined || t === '') return '–';
    const s = (now() - ms_of(t)) / 1000;
    if (Math.abs(s) < 5) return word('base.just_now');
    return s < 0 ? word('base.ahead', { span: duration(-s) }) : word('base.ago', { span: duration(s) });
}
