// A crew's day: the stops of its lists in walking order, then what else it was given; kept on the device, so that it shows without a signal.
import { at, get, list, Problem } from './api';
import { now } from './facts';
import { day } from './format';
import { keep, kept } from './keep';

export interface Stop {
    order: string; stop: number | null; tour: string | null;
    kind: string; kind_en: string; kind_zh: string; state: string; priority: string; due: string; late: boolean; assignee: string | null;
    point: string | null; account: string | null; address: string | null; phone: string | null; lon: number | null; lat: number | null;
    serial: string | null; dn: number | null; reason: string | null; flag: string | null; text_en: string | null; text_zh: string | null; note: string | null;
    last_index_l: number | null; last_read_at: string | null; attempts: number;
    result?: string | null; done_at?: string | null; closed_by?: string | null; index_l?: number | null; new_serial?: string | null; new_index_l?: number | null; // once it is closed
}
export interface Day { at: number; who: string; stops: Stop[]; metres: number; kept: boolean }
interface Tour { tour: string; date: string; left: number; metres: number }
interface TourShown { stops: Stop[] }
interface Point { lon: number | string | null; lat: number | string | null; address: string | null; account: string | null; phone: string | null }

const number_of = (v: unknown): number | null => (v === null || v === undefined || v === '' || Number.isNaN(Number(v)) ? null : Number(v));
const live = (s: { state: string }): boolean => ['open', 'assigned', 'started'].includes(s.state);

function stop_of(o: Record<string, unknown>, tour: string | null): Stop {
    return { last_index_l: null, last_read_at: null, text_en: null, text_zh: null, phone: null, dn: null, ...o, stop: tour ? (o.stop as number) : null, tour, lon: number_of(o.lon), lat: number_of(o.lat) } as unknown as Stop;
}

/** An order that stands on no list tells no place: its point does. */
async function place(s: Stop, signal?: AbortSignal): Promise<Stop> {
    if (!s.point) return { ...s, lon: null, lat: null };
    const p = await get<Point>(at`/v1/points/${s.point}`, {}, signal).catch((e) => {
        if (e instanceof Problem && !e.lost) return null; // it is another unit's, or gone
        throw e;
    });
    return { ...s, lon: number_of(p?.lon), lat: number_of(p?.lat), address: p?.address ?? s.address, account: p?.account ?? s.account, phone: p?.phone ?? s.phone };
}

async function ask(crew: string, signal?: AbortSignal): Promise<Day> {
    const today = day(now());
    const tours = (await list<Tour>('/v1/tours', { assignee: crew, date: today, limit: 20 }, signal)).rows;
    const stops: Stop[] = [];
    for (const t of tours) stops.push(...(await get<TourShown>(at`/v1/tours/${t.tour}`, {}, signal)).stops.map((s) => stop_of(s as unknown as Record<string, unknown>, t.tour)));
    const others = (await list<Record<string, unknown> & { order: string; state: string }>('/v1/orders', { assignee: crew, limit: 200 }, signal)).rows
        .filter((o) => live(o) && !stops.some((s) => s.order === o.order));
    for (const o of others) stops.push(await place(stop_of(o, null), signal));
    return { at: now(), who: crew, stops: stops.filter(live), metres: tours.reduce((sum, t) => sum + (t.metres ?? 0), 0), kept: false };
}

/** As the server has it, else as it was when there was a signal. */
export async function theDay(crew: string, signal?: AbortSignal): Promise<Day> {
    try {
        const d = await ask(crew, signal);
        await keep('day', { ...d, kept: true }).catch(() => undefined);
        return d;
    } catch (e) {
        const before = e instanceof Problem && e.lost ? await kept<Day>('day').catch(() => undefined) : undefined;
        if (before?.who === crew) return before;
        throw e;
    }
}

/** One stop, from the day that is kept where there is no signal. */
export async function theStop(order: string, signal?: AbortSignal): Promise<Stop & { kept?: boolean }> {
    try {
        const before = await kept<Day>('day').catch(() => undefined);
        const known = before?.stops.find((s) => s.order === order);
        const o = await get<Record<string, unknown>>(at`/v1/orders/${order}`, {}, signal);
        const fresh = stop_of(o, (o.tour as string) ?? null);
        return known ? { ...known, ...Object.fromEntries(Object.entries(fresh).filter(([, v]) => v !== null)), lon: known.lon, lat: known.lat } as Stop : place(fresh, signal);
    } catch (e) {
        if (!(e instanceof Problem && e.lost)) throw e;
        const before = await kept<Day>('day').catch(() => undefined);
        const known = before?.stops.find((s) => s.order === order);
        if (known) return { ...known, kept: true };
        throw e;
    }
}
