// What a crew reports, queued on the device until the server has it: each act under an Idempotency-Key of its own, so that one whose answer was lost counts once.
//
//   await enqueue({ path, body, photo, label, about })     on disk when it resolves, then sent as soon as it goes
//   useStore(acts)                                         those of who is signed in, the oldest first
//
// An act waits, for a signal or for room on a server that is full (its person is told which), is refused with the server's sentence (somebody changes it, under a new key, or drops it), or is sent and gone.  What is not sent outlives signing out: it is shown to its own person alone, and sent when he is back.
import { at, isOfAnother, newKey, Problem, post, whoAmI } from './api';
import { allActs, dropAct, putAct } from './keep';
import { session } from './session';
import { store } from './store';

export interface Act {
    id?: number;
    who: string;
    key: string;
    path: string;
    body: Record<string, unknown>;
    photo?: Blob;      // goes first; its id becomes body.photo
    label: string;     // for people: where and what
    about: string;     // the order's name
    made: number;      // ms
    tried?: boolean;   // it was sent once, and nobody knows what came of it
    full?: boolean;    // the server has no room for it
    refused?: { detail: string; field: string; status: number };
}

const FIRST_MS = 3000, MOST_MS = 60000, SENT_SHOWN_MS = 10000;
export const acts = store<Act[]>([]);
/** sending: an act is under way; waiting: the line is down; sent: all is with the server, just now. */
export const state = store<'idle' | 'sending' | 'waiting' | 'sent'>('idle');
const heard = new Set<(about: string) => void>();
let timer = 0, back_off_ms = FIRST_MS, busy = false;

/** Calls `told` with an order's name when an act of it has reached the server. */
export function onSent(told: (about: string) => void): () => void {
    heard.add(told);
    return () => void heard.delete(told);
}

async function load(): Promise<Act[]> {
    const who = session.get()?.name;
    const all = who ? (await allActs<Act>()).filter((a) => a.who === who) : [];
    if (who !== session.get()?.name) return []; // somebody else is here by now
    acts.set(all);
    return all;
}

export async function enqueue(act: Pick<Act, 'path' | 'body' | 'photo' | 'label' | 'about'>): Promise<void> {
    await putAct({ ...act, who: session.get()!.name, key: newKey(), made: Date.now() });
    await load();
    void flush();
}

/** Another content is another request: a new key. */
export async function change(act: Act, body: Record<string, unknown>, photo: Blob | undefined): Promise<void> {
    await putAct({ ...act, body, photo, key: newKey(), refused: undefined, tried: false, full: false });
    await load();
    void flush();
}

export async function drop(act: Act): Promise<void> {
    await dropAct(act.id!);
    await load();
}

/** The server may be there again later: nobody has to look at it. */
const passes = (p: Problem): boolean => p.lost || p.status === 429 || p.status >= 500;

const isFull = (p: Problem): boolean => p.status === 507 || p.code === 'full';

/** A report goes in its own person's name alone: another may have signed in meanwhile. */
const isHere = (act: Act): boolean => act.who === session.get()?.name;

async function send(act: Act): Promise<'sent' | 'refused' | 'later'> {
    try {
        if (act.photo && isHere(act)) {
            const { photo } = await post<{ photo: string }>('/v1/photos', act.photo);
            act = { ...act, body: { ...act.body, photo }, photo: undefined };
            await putAct(act);
        }
        act = { ...act, tried: true };
        await putAct(act);
        if (!isHere(act)) return 'later';
        await post(act.path, act.body, act.key);
        await dropAct(act.id!);
        for (const told of heard) told(act.about);
        return 'sent';
    } catch (e) {
        if (!(e instanceof Problem)) throw e;
        if (e.status === 401 || isOfAnother(e) || passes(e)) {
            await putAct({ ...act, full: isFull(e) });
            return 'later';
        }
        await putAct({ ...act, refused: { detail: e.detail, field: act.photo ? 'photo' : e.field, status: e.status } });
        return 'refused';
    }
}

async function send_all(): Promise<void> {
    const who = session.get()?.name;
    let sent = false;
    if (session.get() && !session.get()!.csrf) await whoAmI(); // opened without a signal: the token that writing needs is asked for now
    for (let todo = await load(); ; todo = await load()) {
        const act = todo.find((a) => !a.refused);
        if (!act) break;
        state.set('sending');
        const came = await send(act);
        if (came === 'later') {
            state.set('waiting');
            later();
            return;
        }
        sent ||= came === 'sent';
    }
    if (who !== session.get()?.name) return;
    back_off_ms = FIRST_MS;
    state.set(sent ? 'sent' : 'idle');
    if (sent) window.setTimeout(() => state.get() === 'sent' && state.set('idle'), SENT_SHOWN_MS);
}

function later(): void {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void flush(), back_off_ms);
    back_off_ms = Math.min(2 * back_off_ms, MOST_MS);
}

/** Sends what waits, one after the other; in one tab alone. */
export async function flush(): Promise<void> {
    if (busy || !session.get()) return;
    busy = true;
    try {
        const one = async () => send_all();
        if (navigator.locks) await navigator.locks.request('nilometer-queue', one);
        else await one();
    } catch {
        state.set('waiting');
        later();
    }
    busy = false;
    await load();
}

export const orderPath = (order: string): string => at`/v1/orders/${order}/done`;

session.watch((s) => {
    if (s) void load().then(flush);
    else {
        acts.set([]);
        state.set('idle'); // of what was sent nobody else is told
    }
});
window.addEventListener('online', () => {
    back_off_ms = FIRST_MS;
    void flush();
});
document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void flush();
});
if (session.get()) void load().then(flush);
