// A reader's day: the sheet is walked by keyboard, what is missing is read, a row is disputed and settled, and the day is signed.
import { claims, is, ok, today } from './house.mjs';

const sheet = async (h, route = 'R001') => (await h.api(`/v1/routes/${route}/day?date=${today}&limit=1000`)).rows;

await claims({
    async the_day_begins_with_ones_own_routes_and_what_is_odd(h) {
        const page = await h.as('rui', '/');
        await page.locator('.figures').waitFor();
        await page.locator('section', { hasText: 'My routes' }).getByRole('link', { name: /R001/ }).click();
        await page.locator('h1', { hasText: 'Route R001' }).waitFor();
        is(await page.locator(':focus').evaluate((e) => e.tagName), 'H1', 'the focus went to the heading');
    },
    async the_keyboard_walks_the_sheet_and_the_filter_leaves_the_rows_of_a_state(h) {
        const page = await h.as('rui', `/routes/R001/day/${today}`);
        const grid = page.getByRole('grid');
        await grid.waitFor();
        const rows = await sheet(h);
        is(await grid.getAttribute('aria-rowcount'), String(rows.length + 1), 'rows');
        await grid.focus();
        await page.keyboard.press('End');
        await page.locator('[role=row].here', { hasText: rows.at(-1).address }).waitFor();
        await page.locator('section[aria-label="The row"]', { hasText: rows.at(-1).point }).waitFor();
        await page.keyboard.press('Home');
        await page.keyboard.press('ArrowDown');
        await page.locator('section[aria-label="The row"]', { hasText: rows[1].point }).waitFor();
        await page.keyboard.press('/');
        is(await page.locator(':focus').getAttribute('type'), 'search', 'what / goes to');
        await page.keyboard.type(rows[2].point);
        await page.locator('.count', { hasText: `1 of ${rows.length} rows` }).waitFor();
        const missing = rows.filter((r) => r.state === 'missing').length;
        ok(missing > 0, 'the town has a meter that was not read');
        await page.locator('.filter').fill('');
        await page.getByRole('button', { name: `Missing ${missing}` }).click();
        ok(page.url().endsWith('?state=missing'), 'the filter stands in the address');
        is(await page.getByRole('row').count(), missing + 1, 'rows that are missing, and the head');
    },
    async what_is_missing_is_read_by_hand(h) {
        const row = (await sheet(h)).find((r) => r.state === 'missing' && r.serial);
        const before = (await h.api(`/v1/meters/${row.serial}/readings?limit=10000`)).rows.filter((r) => ['forward', 'net'].includes(r.channel) && !r.suspect).at(-1).index_l;
        const page = await h.as('rui', `/routes/R001/day/${today}?row=${row.point}`);
        await page.locator('section[aria-label="The row"]', { hasText: row.point }).waitFor();
        await page.getByRole('grid').focus();
        await page.keyboard.press('r');
        const form = page.getByRole('dialog');
        await form.getByLabel('The dial shows, m³').fill('12 m');
        await form.getByRole('button', { name: 'Record' }).click();
        await form.getByText('is no number').waitFor();
        await form.getByLabel('The dial shows, m³').fill(((before + 20) / 1000).toFixed(3));
        await page.keyboard.press('Enter');
        await form.waitFor({ state: 'hidden' });
        await page.locator('section[aria-label="The row"] dd', { hasText: ((before + 20) / 1000).toLocaleString('en-GB', { minimumFractionDigits: 3 }) }).first().waitFor();
        const now = (await sheet(h)).find((r) => r.point === row.point);
        is(now.manual_l, before + 20, 'what the sheet has of the dial');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async a_disputed_row_keeps_the_day_open_until_it_is_resolved(h) {
        const row = (await sheet(h)).find((r) => r.state === 'ok');
        const page = await h.as('rui', `/routes/R001/day/${today}?row=${row.point}`);
        await page.locator('section[aria-label="The row"]', { hasText: row.point }).getByRole('button', { name: /Dispute/ }).click();
        await page.getByRole('dialog').getByLabel('Reason').fill('The glass is foggy.');
        await page.getByRole('dialog').getByRole('button', { name: 'Dispute' }).click();
        await page.locator('section[aria-label="The row"]', { hasText: 'The glass is foggy.' }).waitFor();
        await page.getByRole('button', { name: /Sign off/ }).click();
        await page.getByRole('dialog').getByText('1 row is disputed').waitFor();
        is(await page.getByRole('dialog').getByRole('button', { name: 'Sign off' }).count(), 0, 'buttons that sign');
        const boss = await h.as('sue', `/routes/R001/day/${today}?row=${row.point}`);
        await boss.locator('section[aria-label="The row"]', { hasText: row.point }).getByRole('button', { name: 'Resolve' }).click();
        await boss.getByRole('dialog').getByLabel('What came of it').fill('Read again, it is right.');
        await boss.getByRole('dialog').getByRole('button', { name: 'Resolve' }).click();
        await boss.getByRole('dialog').waitFor({ state: 'hidden' });
        is((await sheet(h)).find((r) => r.point === row.point).dispute.state, 'resolved', 'the dispute');
    },
    async a_day_is_signed_with_a_remark_for_each_reason(h) {
        const rows = await sheet(h);
        const needs = rows.filter((r) => r.state === 'missing' || r.state === 'odd');
        const page = await h.as('rui', `/routes/R001/day/${today}`);
        await page.getByRole('grid').focus();
        await page.keyboard.press('s');
        const form = page.getByRole('dialog');
        await form.waitFor();
        for (const box of await form.locator('input[required]').all()) await box.fill('Seen on the spot.');
        await form.getByLabel('Note', { exact: true }).fill('<b>done</b>');
        await form.getByRole('button', { name: 'Sign off' }).click();
        await page.getByText('rui signed this day').waitFor();
        const signed = (await h.api('/v1/routes/R001/signed')).rows.find((d) => d.date === today);
        is(signed.signed_by, 'rui', 'who signed');
        is(signed.points, rows.length, 'points');
        is(signed.missing + signed.odd, needs.length, 'rows with a remark');
        is(signed.note, '<b>done</b>', 'the note');
        is(await page.locator('.strip b').count(), 0, 'markup that became elements');
        const after = await sheet(h);
        is(after.every((r) => r.state === 'signed'), true, 'all rows are signed');
        is(after.find((r) => r.point === needs[0]?.point)?.remark, needs.length ? 'Seen on the spot.' : undefined, 'the remark');
        is(await page.getByRole('button', { name: /Sign off/ }).count(), 0, 'a day is signed once');
    },
    async who_only_looks_is_offered_nothing_that_writes(h) {
        const page = await h.as('vic', `/routes/R001/day/${today}`);
        await page.locator('section[aria-label="The row"]').waitFor();
        is(await page.locator('section[aria-label="The row"] button').count(), 0, 'buttons');
        await page.getByRole('grid').focus();
        await page.keyboard.press('r');
        is(await page.getByRole('dialog').count(), 0, 'dialogs');
    },
});
