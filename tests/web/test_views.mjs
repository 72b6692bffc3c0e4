// Every view in both languages at 390 and 1 440 px, and in the dark: axe finds nothing, nothing sticks out of the screen, no script fails; a shot of each goes to build/shots.
// The first two of these; with LOOKS=all in the environment all five. With a view's name behind it: that view alone.
import { axe, claims, ok, shots, visit } from './house.mjs';
import { views } from './views.mjs';

const every = [['en', 390, 'light'], ['zh', 1440, 'light'], ['en', 1440, 'light'], ['zh', 390, 'light'], ['zh', 1440, 'dark']];
const looks = process.env.LOOKS === 'all' ? every : every.slice(0, 2);
let open = { who: null, pages: new Map() }; // a person's pages, one a look: views are changed by the address, as people do

async function pageOf(h, who, look) {
    if (open.who !== who) {
        for (const page of open.pages.values()) await page.context().close();
        open = { who, pages: new Map() };
    }
    const known = open.pages.get(look.join());
    if (known) return known;
    const [language, width, theme] = look;
    const page = await h.page({ language, width, theme, storageState: who ? await h.cookies(who) : undefined });
    await page.goto('/');
    open.pages.set(look.join(), page);
    return page;
}

async function wrongsOf(h, v, look) {
    const [language, width, theme] = look;
    const page = await pageOf(h, v.who ?? null, look);
    page.wrongs.length = 0;
    const path = typeof v.path === 'function' ? await v.path(h) : v.path;
    await visit(page, path);
    await page.locator(v.ready).first().waitFor();
    await v.act?.(page, h);
    await page.evaluate(() => document.fonts.ready);
    await page.waitForFunction(() => !document.querySelector('.spinner'));
    const name = `${v.name}-${language}-${width}${theme === 'dark' ? '-dark' : ''}`;
    await page.screenshot({ path: `${shots()}/${name}.png`, fullPage: !(await page.locator('dialog[open]').count()) }); // a dialog covers the screen, not the page
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    const wrongs = [...page.wrongs, ...(await axe(page, theme === 'dark' ? ['color-contrast'] : null)), ...(wide > 0 ? [`${wide} px stick out of the screen`] : [])];
    const untold = await page.evaluate(() => /\{\w+\}|\b(undefined|NaN|null)\b|\[object/.exec(document.body.innerText)?.[0]);
    if (untold) wrongs.push(`it says ${untold}`);
    if (language === 'zh') wrongs.push(...(await page.evaluate(() => [...document.querySelectorAll('h1, h2, h3, label, button, [role=columnheader]')].map((e) => e.textContent.trim())
        .filter((t) => /[a-z]{4,}/i.test(t) && !/English|Nilometer|XLSX/.test(t)))).filter((t) => !(v.names ?? []).some((n) => t.includes(n))).map((t) => `it says “${t}” in Chinese`));
    return wrongs.map((w) => `${name}: ${w}`);
}

const looked = (v) => async (h) => {
    const wrongs = [];
    for (const look of looks) wrongs.push(...(await wrongsOf(h, v, look)));
    ok(!wrongs.length, wrongs.join('\n      '));
};

const order = [...new Set(views.map((v) => v.who))].flatMap((who) => views.filter((v) => v.who === who));
await claims(Object.fromEntries(order.map((v) => [v.name, looked(v)])), { keep: true });
