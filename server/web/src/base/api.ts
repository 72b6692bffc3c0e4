// Asking the server. Every refusal becomes a Problem with a sentence for people; a lost line is a Problem of status 0.
//
//   const { rows, next } = await list<Flag>('/v1/flags', { state: 'open', limit: 200 }, signal);
//   await post('/v1/flags/12', { decision: 'confirmed', note }, key);       key: Idempotency-Key, one a form (newKey())
import { session, type Session } from './session';
import { word } from './words';

export class Problem extends Error {
    constructor(readonly status: number, readonly detail: string, readonly field = '', readonly code = '', readonly waitS = 0) {
        super(detail);
    }
    /** Nothing came back: it may have been carried out all the same. */
    get lost(): boolean { return this.status === 0; }
}

export type Query = Record<string, string | number | boolean | null | undefined>;
export interface Page<T> { rows: T[]; next: string | null }

export function address(path: string, query: Query = {}): string {
    const q = new URLSearchParams();
    for (const [name, v] of Object.entries(query)) if (v !== undefined && v !== null && v !== '') q.set(name, String(v));
    const text = q.toString();
    return text ? `${path}?${text}` : path;
}

/** A path with names in it, which may have any characters: at`/v1/routes/${route}/day`. */
export function at(parts: TemplateStringsArray, ...names: (string | number)[]): string {
    return parts.reduce((path, part, n) => path + encodeURIComponent(names[n - 1]) + part);
}

export const newKey = (): string => crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');

async function problemOf(answer: Response): Promise<Problem> {
    const waitS = Number(answer.headers.get('Retry-After') ?? 0);
    try {
        const p = await answer.json();
        return new Problem(answer.status, p.detail ?? p.title ?? '', p.field ?? '', p.code ?? '', waitS);
    } catch {
        return new Problem(answer.status, word('base.refused', { status: answer.status }), '', '', waitS);
    }
}

async function ask(path: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    try {
        answer = await fetch(path, { credentials: 'same-origin', ...init });
    } catch (e) {
        if ((e as Error).name === 'AbortError') throw e;
        throw new Problem(0, word('base.lost'));
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status === 401 && session.get()) session.set(null); // it ended, or somebody ended it
    throw problem;
}

export async function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return (await ask(address(path, query), { signal, headers: { Accept: 'application/json' } })).json();
}

export const list = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<Page<T>> => get<Page<T>>(path, query, signal);

/** All rows of a list, page by page, `most` of them at most; whether there are more. */
export async function all<T>(path: string, query: Query = {}, most = 20000, signal?: AbortSignal): Promise<{ rows: T[]; more: boolean }> {
    const rows: T[] = [];
    let after: string | null | undefined;
    do {
        const page = await list<T>(path, { ...query, limit: Math.min(5000, most - rows.length), after }, signal);
        rows.push(...page.rows);
        after = page.next;
    } while (after && rows.length < most);
    return { rows, more: !!after };
}

/** The cookie is of another session than the page: somebody signed in anew in another tab. Nothing was carried out. */
export const isOfAnother = (e: unknown): boolean => e instanceof Problem && e.status === 403 && e.field === 'X-CSRF-Token';

async function postOnce(path: string, body: unknown, key?: string, signal?: AbortSignal): Promise<Response> {
    const file = body instanceof Blob;
    const headers: Record<string, string> = { 'Content-Type': file ? body.type || 'image/jpeg' : 'application/json', Accept: 'application/json' };
    const s = session.get();
    if (s) headers['X-CSRF-Token'] = s.csrf;
    if (key) headers['Idempotency-Key'] = key;
    return ask(path, { method: 'POST', headers, body: file ? body : JSON.stringify(body), signal });
}

/** A Blob goes as it is. */
export async function post<T = unknown>(path: string, body: unknown = {}, key?: string, signal?: AbortSignal): Promise<T> {
    const who = session.get()?.name;
    try {
        return (await postOnce(path, body, key, signal)).json();
    } catch (e) {
        if (!isOfAnother(e) || (await whoAmI())?.name !== who) throw e; // in another's name nothing is sent again
        return (await postOnce(path, body, key, signal)).json();
    }
}

/** Who is signed in, asked anew; null: nobody. */
export async function whoAmI(): Promise<Session | null> {
    try {
        const s = await get<Session>('/v1/session');
        session.set(s);
    } catch (e) {
        if (e instanceof Problem && e.status === 401) session.set(null);
        else throw e;
    }
    return session.get() ?? null;
}
