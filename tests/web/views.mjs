// Every view: its name, its link (a function where it depends on the town), who looks at it, what shows that it is there, and what is done before it is looked at.
// `names`: words in it that are names, and so the same in every language.
import { crewWorld } from './crew_world.mjs';
import { today } from './house.mjs';

const flag = async (h, kind) => (await h.api(`/v1/flags?kind=${kind}`)).rows[0];
const drawn = '.chart canvas';
const rows = '.grid .rows .row';

/** February of the town's routes, open; January, closed. */
async function cycles(h) {
    if ((await h.api('/v1/cycles')).rows.length) return;
    const routes = (await h.api('/v1/routes')).rows.map((r) => r.route);
    await h.api('/v1/cycles', { cycle: '2026-01', from: '2026-01-05T00:00:00+08:00', to: '2026-02-01T00:00:00+08:00', routes });
    await h.api('/v1/cycles/2026-01/close', {});
    await h.api('/v1/cycles', { cycle: '2026-02', from: '2026-02-01T00:00:00+08:00', to: '2026-03-01T00:00:00+08:00', routes });
}
const after_cycles = (path) => async (h) => (await cycles(h), path);
const a_point = async (h) => `/points/${(await h.api('/v1/points?limit=1')).rows[0].point}`;

/** An edit that waits for a second person: where everything takes one, a litre does. */
export async function anEdit(h, ask = (path, wish) => h.api(path, wish)) {
    if ((await h.api('/v1/edits')).rows.length) return '/edits';
    h.nilo(['import', 'prices', '-'], 'item,of,money,source\nedit,m3,0,the board\nedit,percent,0,the board\n');
    const f = (await h.api('/v1/fittings?limit=1')).rows[0];
    const reads = (await h.api(`/v1/meters/${f.serial}/readings?from=2026-02-09T00:00:00Z&to=2026-02-16T00:00:00Z&limit=1000`)).rows;
    const n = reads.findIndex((r, k) => k && r.index_l > reads[k - 1].index_l + 1);
    const middle = new Date((Date.parse(reads[n - 1].time) + Date.parse(reads[n].time)) / 2).toISOString();
    await ask(`/v1/points/${f.point}/edits`, { at: middle, index_l: reads[n].index_l, reason: 'the photo shows it <img src=x onerror=alert(1)>' });
    return '/edits';
}

export const views = [
    { name: 'sign_in', path: '/', ready: '.sign-in form' },
    { name: 'today_dispatch', path: '/', who: 'sue', ready: '.grid .rows .row' },
    { name: 'today_reader', path: '/', who: 'rui', ready: '.figures', names: ['R00'] },
    { name: 'routes', path: '/routes', who: 'rui', ready: '.grid .rows .badge' },
    { name: 'route_day', path: `/routes/R001/day/${today}`, who: 'rui', ready: drawn },
    { name: 'route_day_sign', path: `/routes/R001/day/${today}`, who: 'rui', ready: '.grid .rows .row', act: (page) => page.locator('.head-end .primary').click() },
    { name: 'route_day_read', path: `/routes/R001/day/${today}`, who: 'rui', ready: drawn, act: (page) => page.locator('.w4 button').first().click() },
    { name: 'flags', path: '/flags', who: 'sue', ready: drawn },
    { name: 'flag', path: async (h) => `/flags/${(await flag(h, 'leak')).id}`, who: 'sue', ready: drawn },
    { name: 'flag_order', path: async (h) => `/flags/${(await flag(h, 'leak')).id}`, who: 'sue', ready: drawn, act: (page) => page.locator('.row-of .primary').click() },
    { name: 'meters', path: '/meters', who: 'sue', ready: '.grid .rows .row' },
    { name: 'meters_found', path: '/meters?q=2600', who: 'sue', ready: '.hits li' },
    { name: 'meter', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}`, who: 'sue', ready: drawn },
    { name: 'meter_life', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=life`, who: 'sue', ready: 'main .card, main .empty' },
    { name: 'meter_frames', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=frames`, who: 'sue', ready: '.grid .row, main .empty' },
    { name: 'meter_frame', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=frames`, who: 'sue', ready: '.grid .rows .row', act: async (page) => { await page.locator('.grid .rows .row').first().click(); await page.locator('dialog table').waitFor(); }, names: ['native'] },
    { name: 'meter_commands', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=commands`, who: 'sue', ready: '.grid .row, main .empty' },
    { name: 'meter_command', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=commands`, who: 'sue', ready: '.table-tools .primary', act: (page) => page.locator('.table-tools .primary').click() },
    { name: 'meter_edits', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=edits`, who: 'sue', ready: '.grid .row, main .empty' },
    { name: 'today_billing', path: after_cycles('/'), who: 'bo', ready: '.lines .badge.warn ~ .row-of .badge' },
    { name: 'cycles', path: after_cycles('/cycles'), who: 'bo', ready: rows },
    { name: 'cycles_open', path: after_cycles('/cycles'), who: 'bo', ready: '.head-end .primary', act: async (page) => { await page.locator('.head-end .primary').click(); await page.locator('dialog .grid .row').first().waitFor(); }, names: ['SHA-256'] },
    { name: 'cycle', path: after_cycles('/cycles/2026-02'), who: 'bo', ready: '.shares' },
    { name: 'cycle_review', path: after_cycles('/cycles/2026-02?tab=review'), who: 'bo', ready: '.chips' },
    { name: 'cycle_figures', path: after_cycles('/cycles/2026-02?tab=figures'), who: 'bo', ready: rows },
    { name: 'cycle_close', path: after_cycles('/cycles/2026-02'), who: 'bo', ready: '.shares', act: (page) => page.locator('.head-end .primary').click() },
    { name: 'cycle_closed', path: after_cycles('/cycles/2026-01'), who: 'bo', ready: '.shares', names: ['SHA-256'] },
    { name: 'cycle_unsettled', path: after_cycles('/cycles/2026-01?tab=unsettled'), who: 'bo', ready: '.table' },
    { name: 'adjustments', path: after_cycles('/adjustments'), who: 'bo', ready: '.table' },
    { name: 'edits', path: (h) => anEdit(h), who: 'bo', ready: drawn },
    { name: 'figures', path: '/figures?month=2026-02', who: 'bo', ready: rows },
    { name: 'figure', path: '/figures?month=2026-02', who: 'bo', ready: rows, act: async (page) => { await page.locator(rows).first().click(); await page.locator('dialog dl').waitFor(); } },
    { name: 'point', path: a_point, who: 'bo', ready: drawn },
    { name: 'visits', path: '/visits', who: 'bo', ready: '.table' },
    { name: 'replacements', path: '/replacements', who: 'sue', ready: '.map', names: ['City', 'Zone'] },
    { name: 'stock', path: '/stock', who: 'sam', ready: '.table' },
    { name: 'verifications', path: '/verifications', who: 'sam', ready: '.bars' },
    { name: 'today_crew', path: async (h) => (await crewWorld(h), '/'), who: 'cai', ready: '.stops .stop', full: true },
    { name: 'order', path: async (h) => `/orders/${(await crewWorld(h))[0].order}`, who: 'cai', ready: 'form', full: true },
    { name: 'users', path: '/users', who: 'ada', ready: '.grid .rows .row' },
    { name: 'users_new', path: '/users', who: 'ada', ready: '.head-end .primary', act: (page) => page.locator('.head-end .primary').click() },
    { name: 'password', path: '/password', who: 'ada', ready: 'form' },
];
