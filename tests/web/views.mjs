// Every view: its name, its link (a function where it depends on the town), who looks at it, what shows that it is there, and what is done before it is looked at.
// `names`: words in it that are names, and so the same in every language.
import { today } from './house.mjs';

const flag = async (h, kind) => (await h.api(`/v1/flags?kind=${kind}`)).rows[0];
const drawn = '.chart canvas';

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
    { name: 'meter_edits', path: async (h) => `/meters/${(await flag(h, 'leak')).serial}?tab=edits`, who: 'sue', ready: '.grid .row, main .empty' },
    { name: 'users', path: '/users', who: 'ada', ready: '.grid .rows .row' },
    { name: 'users_new', path: '/users', who: 'ada', ready: '.head-end .primary', act: (page) => page.locator('.head-end .primary').click() },
    { name: 'password', path: '/password', who: 'ada', ready: 'form' },
];
