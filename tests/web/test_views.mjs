// Every view in both languages at 390 and 1 440 px: axe finds nothing, nothing sticks out of the screen, no script fails; a shot of each goes to build/shots.
// With a view's name behind it: that view alone.
import { axe, claims, ok, shots } from './house.mjs';
import { views } from './views.mjs';

const signed = {}; // person → cookies, so that each signs in once

async function look(h, v, language, width, theme) {
    const page = await h.page({ language, width, theme, storageState: v.who && (signed[v.who] ??= await cookies(h, v.who)) });
    const path = typeof v.path === 'function' ? await v.path(h) : v.path;
    await page.goto(`/#${path}`);
    await page.locator(v.ready).first().waitFor();
    await v.act?.(page, h);
    await page.waitForLoadState('networkidle');
    const name = `${v.name}-${language}-${width}${theme === 'dark' ? '-dark' : ''}`;
    await page.screenshot({ path: `${shots()}/${name}.png`, fullPage: width > 600 || !!v.full });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    const wrongs = [...page.wrongs, ...(await axe(page)), ...(wide > 0 ? [`${wide} px stick out of the screen`] : [])];
    const untold = await page.evaluate(() => /\{\w+\}|\b(undefined|NaN|\[object)\b/.exec(document.body.innerText)?.[0]);
    if (untold) wrongs.push(`it says ${untold}`);
    await page.context().close();
    return wrongs.map((w) => `${name}: ${w}`);
}

async function cookies(h, who) {
    const page = await h.page();
    await h.signIn(page, who);
    const state = await page.context().storageState();
    await page.context().close();
    return state;
}

export const looked = (v) => async (h) => {
    const wrongs = [];
    for (const language of ['en', 'zh']) for (const width of [390, 1440]) wrongs.push(...(await look(h, v, language, width, 'light')));
    wrongs.push(...(await look(h, v, 'zh', 1440, 'dark')));
    ok(!wrongs.length, wrongs.join('\n      '));
};

await claims(Object.fromEntries(views.map((v) => [v.name, looked(v)])));
