// What happens, as it happens (GET /v1/live, server-sent events). One stream for the page; it comes back by itself, slower and slower.
//
//   useLive(['flag'], again);      calls `again` soon after anything of kind flag, several at once as one
import { useEffect } from 'preact/hooks';
import { session } from './session';
import { store } from './store';

export type Event = { kind: string; data: Record<string, unknown> };
/** on: it flows; off: it will be tried again; none: this server has no such stream. */
export const line = store<'on' | 'off' | 'none'>('off');

const BACK_OFF_MOST_MS = 60000;
const TOGETHER_MS = 400;
const told = new Map<string, Set<(e: Event) => void>>(); // by kind; '*': missed, whatever it was
let source: EventSource | null = null;
let back_off_ms = 1000;
let timer = 0;

function tell(kind: string, text: string): void {
    let data: Record<string, unknown> = {};
    try {
        data = JSON.parse(text);
    } catch {
        // an event without figures
    }
    const to = kind === 'missed' ? [...told.values()].flatMap((s) => [...s]) : [...(told.get(kind) ?? [])];
    for (const f of new Set(to)) f({ kind, data });
}

function open(): void {
    if (source || !session.get() || !told.size) return;
    const s = new EventSource('/v1/live');
    source = s;
    s.onopen = () => {
        back_off_ms = 1000;
        line.set('on');
    };
    s.onmessage = (e) => tell('message', e.data);
    for (const kind of new Set([...told.keys(), 'missed'])) s.addEventListener(kind, (e) => tell(kind, (e as MessageEvent).data));
    s.addEventListener('end', () => later(s)); // it stops, or who listens was signed out: no use in coming again at once
    s.onerror = () => {
        if (s.readyState === EventSource.CONNECTING) {
            line.set('off');
            return; // the browser tries again, with Last-Event-ID
        }
        later(s);
    };
}

function later(s: EventSource): void {
    if (source !== s) return;
    close();
    line.set('off');
    timer = window.setTimeout(open, back_off_ms);
    back_off_ms = Math.min(2 * back_off_ms, BACK_OFF_MOST_MS);
}

function close(): void {
    window.clearTimeout(timer);
    source?.close();
    source = null;
}

session.watch((s) => {
    if (!s) close();
    else open();
});

/** Hears of events of these kinds until the returned function is called. */
export function hear(kinds: string[], f: (e: Event) => void): () => void {
    for (const kind of kinds) {
        if (!told.has(kind)) {
            told.set(kind, new Set());
            if (source) source.addEventListener(kind, (e) => tell(kind, (e as MessageEvent).data));
        }
        told.get(kind)!.add(f);
    }
    open();
    return () => {
        for (const kind of kinds) told.get(kind)?.delete(f);
        if ([...told.values()].every((s) => !s.size)) {
            told.clear();
            close();
        }
    };
}

export function useLive(kinds: string[], again: () => void): void {
    useEffect(() => {
        let waiting = 0;
        const end = hear(kinds, () => {
            window.clearTimeout(waiting);
            waiting = window.setTimeout(again, TOGETHER_MS);
        });
        return () => {
            window.clearTimeout(waiting);
            end();
        };
    }, [kinds.join(), again]);
}
