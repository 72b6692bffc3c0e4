// Every view has a link: #/routes/R001/day/2026-03-01?state=missing. What is typed after ? are a view's filters.
import { store } from './store';

export interface Place { path: string; query: URLSearchParams; hash: string }

function read(): Place {
    const hash = location.hash.startsWith('#/') ? location.hash : '#/';
    const [path, query] = hash.slice(1).split('?', 2);
    return { path, query: new URLSearchParams(query ?? ''), hash };
}

export const place = store<Place>(read());
window.addEventListener('hashchange', () => place.set(read()));

export function go(hash: string): void {
    location.hash = hash;
}

/** Puts filters into the address without a new entry of the history. */
export function filter(changes: Record<string, string | null>): void {
    const { path, query } = place.get();
    for (const [name, v] of Object.entries(changes)) {
        if (v) query.set(name, v);
        else query.delete(name);
    }
    const text = query.toString();
    history.replaceState(null, '', `#${path}${text ? `?${text}` : ''}`);
    place.set(read());
}

/** The names in a path of the form /routes/:route/day/:date; null: it is none of these. */
export function match(pattern: string, path: string): Record<string, string> | null {
    const want = pattern.split('/'), have = path.split('/');
    const names: Record<string, string> = {};
    if (want.length !== have.length) return null;
    try {
        for (let n = 0; n < want.length; n++) {
            if (want[n].startsWith(':') && have[n]) names[want[n].slice(1)] = decodeURIComponent(have[n]);
            else if (want[n] !== have[n]) return null;
        }
    } catch {
        return null; // an escape that is none
    }
    return names;
}

/** A link's address, names escaped: link`/meters/${serial}`. */
export function link(parts: TemplateStringsArray, ...names: (string | number)[]): string {
    return '#' + parts.reduce((path, part, n) => path + encodeURIComponent(names[n - 1]) + part);
}
