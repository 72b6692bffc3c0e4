// How long people wait for the page, in Chromium: tools/bench page.
//
//   node tools/measure/page.mjs SERVER NAME PASSWORD ROUTE DATE SERIAL ROUNDS
//
// Prints "figure value unit what" a line. First loads come by a line of 10 Mbit/s with 20 ms there and back (CDP Network.emulateNetworkConditions), with an empty cache; the rest over loopback, with the
// cache as it is by then. An interaction is what the browser itself says of it: from the input to the next frame on screen (Event Timing), the longest of its kind; what waits for the server ends when the answer is drawn.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { chromium } = createRequire(join(root, 'build/web/package.json'))('playwright-core');
const [server, name, password, route, date, serial, rounds] = process.argv.slice(2);
const line = { offline: false, latency: 20, downloadThroughput: 10e6 / 8, uploadThroughput: 10e6 / 8 };
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const signed = await fetch(`${server}/v1/session`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name, password }) });
const secret = /nilo_session=([^;]+)/.exec(signed.headers.get('set-cookie'))[1];

const median = (of) => [...of].sort((a, b) => a - b)[of.length >> 1];
const tell = (figure, ms, what) => console.log(`${figure}\t${ms.toFixed(1)}\tms\t${what}`);

async function open(cookie) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    if (cookie) await context.addCookies([{ name: 'nilo_session', value: secret, url: server }]);
    return { context, page: await context.newPage() };
}

/** From asking for the page until what `ready` names has been on screen for a frame. */
async function load(hash, ready, cookie) {
    const { context, page } = await open(cookie);
    const cdp = await context.newCDPSession(page);
    await cdp.send('Network.enable');
    await cdp.send('Network.setCacheDisabled', { cacheDisabled: true });
    await cdp.send('Network.emulateNetworkConditions', line);
    await page.addInitScript((wanted) => {
        const look = () => (document.querySelector(wanted) ? requestAnimationFrame(() => setTimeout(() => (window.shown_ms = performance.now()))) : requestAnimationFrame(look));
        look();
    }, ready);
    await page.goto(`${server}/${hash}`);
    await page.waitForFunction(() => window.shown_ms);
    const ms = await page.evaluate(() => window.shown_ms);
    await context.close();
    return ms;
}

async function loads(figure, hash, ready, cookie, what) {
    const ms = [];
    for (let n = 0; n < rounds; n++) ms.push(await load(hash, ready, cookie));
    tell(figure, median(ms), what);
}

/** The longest of the events of some kinds while `act` went on. */
async function longest(page, act) {
    await page.evaluate(() => {
        window.events = [];
        window.watching ??= new PerformanceObserver((l) => window.events.push(...l.getEntries().map((e) => e.duration)));
        window.watching.observe({ type: 'event', durationThreshold: 16, buffered: false });
    });
    await act();
    await page.waitForTimeout(300); // the browser tells of events a moment after their frame
    return page.evaluate(() => Math.max(0, ...window.events));
}

/** From an act until a predicate holds in the page and a frame has passed. */
async function until(page, act, shown, argument) {
    await page.evaluate(() => (window.began = performance.now()));
    await act();
    await page.waitForFunction(shown, argument, { polling: 'raf' });
    return page.evaluate(() => performance.now() - window.began);
}

await loads('page_first_load_ms', '', '.sign-in form', false, 'sign-in form, empty cache, 10 Mbit/s and 20 ms');
await loads('page_first_sheet_ms', `#/routes/${route}/day/${date}`, '.grid .rows .row', true, 'day sheet of 500 points by its link, empty cache, same line');

const { page } = await open(true);
await page.goto(`${server}/#/routes/${route}/day/${date}`);
await page.locator('.chart canvas').waitFor();
await page.getByRole('grid').focus();
const keys = async () => {
    for (let n = 0; n < 40; n++) await page.keyboard.press('ArrowDown');
    for (const key of ['End', 'Home', 'PageDown', 'PageUp']) await page.keyboard.press(key);
};
tell('page_walk_ms', await longest(page, keys), '44 keys through 500 rows: the longest from key to frame');
tell('page_filter_ms', await longest(page, () => page.locator('.filter').pressSequentially('P12')), 'letters in the filter: the longest');
await page.locator('.filter').fill('');
tell('page_sort_ms', await longest(page, async () => { for (let n = 0; n < 4; n++) await page.locator('.heads button').nth(2).click(); }), '500 rows sorted by a column: the longest');

const searches = [], meters = [], zooms = [];
for (let n = 0; n < 9; n++) {
    await page.goto(`${server}/#/meters`);
    await page.locator('.wide-search').waitFor();
    searches.push(await until(page, () => page.locator('.wide-search').fill(serial.slice(0, -1) + (n % 10)), () => document.querySelector('.hits li')));
    await page.goto(`${server}/#/nothing`);
    meters.push(await until(page, () => page.evaluate((s) => (location.hash = `#/meters/${s}`), serial), () => document.querySelector('.chart canvas')));
    zooms.push(await until(page, () => page.locator('.chips button').last().click(), () => document.querySelector('.chips button:last-child[aria-pressed=true]') && document.querySelector('.chart canvas')));
}
tell('page_search_ms', median(searches), 'a meter found by its serial, with the 20 ms that another letter is waited for');
tell('page_meter_ms', median(meters), 'a meter opened: facts, flags and a month of its chart');
tell('page_zoom_ms', median(zooms), 'its chart from a month to all that there is');
await browser.close();
