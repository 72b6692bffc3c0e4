// A billing clerk's work: a cycle is opened, looked through and closed; an edit that moves much takes a second person.
import { claims, is, ok } from './house.mjs';
import { anEdit } from './views.mjs';

const field = (page, label) => page.locator('.field', { hasText: label }).locator('input, textarea, select');

await claims({
    async a_clerk_opens_a_cycle_lets_figures_pass_and_closes_it(h) {
        const page = await h.as('bo', '/cycles');
        await page.locator('.head-end .primary').click();
        await field(page, 'Name').fill('2026-02');
        await page.locator('dialog [role=columnheader] input[type=checkbox]').check();
        await page.locator('dialog button[type=submit]').click();
        await page.locator('h1', { hasText: 'Cycle 2026-02' }).waitFor();
        is((await h.api('/v1/cycles/2026-02')).routes.length, (await h.api('/v1/routes')).rows.length, 'routes of the cycle');

        await page.locator('.tabs a', { hasText: 'To look at' }).click();
        await page.locator('.chips button').first().waitFor();
        const waiting = (await h.api('/v1/cycles/2026-02/review')).rows.length;
        if (waiting) {
            await page.locator('[role=columnheader] input[type=checkbox]').first().check();
            await page.locator('button', { hasText: `Let ${waiting} pass` }).click();
            await field(page, 'Note').fill('looked at one by one');
            await page.locator('dialog button[type=submit]').click();
            await page.locator('.strip.good', { hasText: `${waiting} figure` }).waitFor();
            is((await h.api('/v1/cycles/2026-02/review')).rows.length, 0, 'what still waits');
        }

        await page.locator('.head-end .primary', { hasText: 'Close the cycle' }).click();
        await page.locator('dialog button[type=submit]').click(); // not without the tick: the form keeps it
        is((await h.api('/v1/cycles/2026-02')).state, 'open', 'state before the tick');
        await page.locator('dialog input[type=checkbox]').check();
        await page.locator('dialog button[type=submit]').click();
        await page.locator('h1 .badge', { hasText: 'Closed' }).waitFor();
        const closed = await h.api('/v1/cycles/2026-02');
        is(closed.closed_by, 'bo', 'who closed it');
        await page.locator('dd', { hasText: closed.digest }).waitFor();
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async what_moves_much_waits_for_another_person(h) {
        const bo = await h.as('bo', '/edits');
        await anEdit(h, async (path, wish) => {
            const csrf = await bo.evaluate(async () => (await (await fetch('/v1/session')).json()).csrf);
            is(await bo.evaluate(async ([p, w, token]) => (await fetch(p, { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body: JSON.stringify(w) })).status, [path, wish, csrf]), 201, 'the edit');
        });
        await bo.reload();
        await bo.locator('.card .badge', { hasText: 'Waits' }).waitFor();
        is(await bo.locator('button', { hasText: 'Approve' }).count(), 0, 'approving one’s own');
        is(await bo.locator('.card img').count(), 0, 'markup in a reason');
        const sue = await h.as('sue', '/edits?state=waiting');
        await sue.locator('button', { hasText: 'Approve' }).click();
        await sue.locator('dialog button[type=submit]').click();
        await sue.locator('.state.empty').waitFor(); // it waits no more
        is((await h.api('/v1/edits')).rows[0].decided_by, 'sue', 'who approved it');
    },
    async a_figure_tells_how_it_was_reckoned(h) {
        const f = (await h.api('/v1/fittings?limit=2')).rows[1];
        const page = await h.as('bo', `/points/${f.point}`);
        await page.locator('code').first().waitFor();
        ok(/ = /.test(await page.locator('code').first().innerText()), 'the sum in litres');
        is(page.wrongs.join(), '', 'what went wrong');
    },
});
