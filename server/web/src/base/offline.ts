// The page without a signal, for crews: its shell from the service worker, who is signed in and the utility's facts from the device. None of it stays when the person signs out.
import { keep, kept, forget } from './keep';
import { keepFacts, theFacts, type Facts } from './facts';
import { onLeave, session, type Session } from './session';

/** What the page needs to open once more without the server; true: it opens so. */
export async function openKept(): Promise<boolean> {
    const [facts, who] = await Promise.all([kept<Facts>('facts'), kept<Session>('person')]).catch(() => [undefined, undefined] as const);
    if (!facts || !who) return false;
    keepFacts(facts);
    session.set({ ...who, csrf: '' });
    return true;
}

/** For the next time: of a crew alone, on whose device the page must open in a cellar. */
export async function keepForLater(): Promise<void> {
    const s = session.get();
    if (s?.role !== 'crew') return;
    await Promise.all([keep('facts', theFacts()), keep('person', { name: s.name, role: s.role, org: s.org })]);
    await navigator.serviceWorker?.register('/web/sw.js', { scope: '/' }).catch(() => undefined);
}

onLeave(async () => {
    await forget();
    for (const r of (await navigator.serviceWorker?.getRegistrations()) ?? []) await r.unregister();
    for (const name of (await self.caches?.keys()) ?? []) await caches.delete(name);
});
