// Markup in every text that people or meters can put into the store stays text on every view: no element comes of it, no script runs.
import { claims, is, ok, today, visit } from './house.mjs';
import { views } from './views.mjs';

const evil = `"><img src=x onerror="window.hurt=1"><script>window.hurt=1</script>{{7*7}}`;

/** Names that have a place in a path take no slash; free texts take all. */
async function poison(h) {
    const quoted = `"${evil.replaceAll('"', '""')}"`;
    const points = (await h.api('/v1/points?limit=1000')).rows;
    h.nilo(['import', 'points', '-'], `point,account,address,use_class,route,route_seq,phone\n${points.map((p) => `${p.point},${p.account},${quoted},${p.use_class},${p.route},${p.route_seq},${quoted}`).join('\n')}\n`);
    h.nilo(['import', 'routes', '-'], `route,reader,days,name\nR001,rui,daily,${quoted}\n`);
    h.nilo(['import', 'crews', '-'], `crew,name\ncrew-1,${quoted}\n`);
    const flags = (await h.api('/v1/flags?state=open')).rows;
    for (const f of flags) await h.api('/v1/orders', { kind: 'inspect', flag: f.id, note: evil, reason: 'fault', assignee: 'crew-1' });
    await h.api(`/v1/flags/${flags.find((f) => f.kind === 'stuck').id}`, { state: 'confirmed', note: evil });
    const row = (await h.api(`/v1/routes/R001/day?date=${today}`)).rows[0];
    await h.api('/v1/routes/R001/day/dispute', { date: today, point: row.point, note: evil });
    const meter = flags.find((f) => f.kind === 'leak').serial;
    await h.api(`/v1/meters/${meter}/events`, { event: 'fault', note: evil, reason: evil });
}

await claims({
    async texts_of_people_stay_text_on_every_view(h) {
        await poison(h);
        let seen = 0;
        const pages = new Map(); // a person's one: views are changed by the address
        for (const v of views.filter((view) => view.who)) {
            const path = typeof v.path === 'function' ? await v.path(h) : v.path;
            const page = pages.get(v.who) ?? await h.as(v.who, '/nothing');
            pages.set(v.who, page);
            await visit(page, path);
            await page.locator(v.ready).first().waitFor();
            await v.act?.(page, h);
            seen += (await page.locator('body').innerText()).includes('onerror=') ? 1 : 0;
            is(await page.evaluate(() => window.hurt), undefined, `${v.name}: a script ran`);
            is(await page.evaluate(() => document.querySelectorAll('img[src="x"], main script').length), 0, `${v.name}: elements made of text`);
            is(page.wrongs.filter((w) => /Content.Security/i.test(w)).join(), '', `${v.name}: the policy had to help`);
        }
        ok(seen >= 5, `the text stands on ${seen} views, expected 5 at least: else this looked at nothing`);
    },
    async what_nobody_filled_in_is_no_word_of_the_machine(h) {
        h.nilo(['import', 'routes', '-'], 'route\nBARE\n');
        h.nilo(['import', 'points', '-'], 'point,route\nBARE,BARE\n');
        h.nilo(['import', 'meters', '-'], 'serial,dn,q3,verified_on\nBARE,15,2.5,2010-01-01\n');
        h.nilo(['import', 'fittings', '-'], 'point,serial,from,start_index_l\nBARE,BARE,2026-01-02T00:00:00Z,0\n');
        h.nilo(['settle']);
        const looks = { '/routes': '.grid .rows .row', '/routes/BARE/day/2026-03-01': '.grid .rows .row', '/points/BARE': 'dl.facts', '/meters/BARE': 'dl.facts', '/replacements?route=BARE': '.leaflet-container', '/verifications': 'main .card' };
        for (const [path, ready] of Object.entries(looks)) {
            const page = await h.as('sue', path);
            await page.locator(ready).first().waitFor();
            const text = await page.locator('main').innerText();
            is(/.{0,40}\b(undefined|NaN|null|Invalid Date)\b.{0,40}/.exec(text)?.[0], undefined, path);
            is(page.wrongs.join(), '', `${path}: what went wrong`);
            await page.context().close();
        }
    },
});
