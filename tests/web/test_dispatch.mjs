// A dispatcher's day: a flag becomes an order, another is dismissed with a reason; the meter's chart zooms from years to hours; what others do shows by itself.
import { claims, is, ok } from './house.mjs';

const open = async (h, kind) => (await h.api('/v1/flags?state=open')).rows.find((f) => f.kind === kind);

await claims({
    async a_flag_is_found_by_kind_and_becomes_an_order(h) {
        h.nilo(['import', 'crews', '-'], 'crew,name\ncrew-1,First crew\n');
        const flag = await open(h, 'leak');
        const page = await h.as('sue', '/flags');
        await page.getByRole('button', { name: /^Leak/ }).first().click();
        ok(page.url().includes('kind=leak'), 'the filter stands in the address');
        const card = page.locator('section[aria-label="Flag"]', { hasText: flag.point });
        await card.locator('canvas').waitFor();
        await card.getByRole('button', { name: 'Make an order' }).click();
        const form = page.getByRole('dialog');
        await form.getByLabel('Work').selectOption('repair');
        await form.getByLabel('Priority').selectOption('urgent');
        await form.getByLabel('Crew').selectOption('crew-1');
        await form.getByLabel('Note').fill('Second floor, <script>ring twice</script>');
        await form.getByRole('button', { name: 'Make the order' }).click();
        await card.locator('.lines li', { hasText: 'Repair' }).waitFor();
        const orders = (await h.api(`/v1/orders?flag=${flag.id}`)).rows;
        is(orders.length, 1, 'orders of the flag');
        is(`${orders[0].kind} ${orders[0].assignee} ${orders[0].priority} ${orders[0].created_by}`, 'repair crew-1 urgent sue', 'the order');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async an_order_that_was_answered_but_not_heard_of_is_made_once(h) {
        const flag = await open(h, 'reversed');
        const page = await h.as('sue', `/flags/${flag.id}`);
        await page.getByRole('button', { name: 'Make an order' }).click();
        const form = page.getByRole('dialog');
        // The request arrives and is carried out; the answer is lost on its way back.
        await page.route('**/v1/orders', async (route) => {
            await route.fetch();
            await route.abort('connectionreset');
        }, { times: 1 });
        await form.getByRole('button', { name: 'Make the order' }).click();
        await form.getByText('it will not count twice').waitFor();
        await form.getByRole('button', { name: 'Make the order' }).click();
        await form.waitFor({ state: 'hidden' });
        is((await h.api(`/v1/orders?flag=${flag.id}`)).rows.length, 1, 'orders of the flag');
    },
    async of_many_orders_at_once_none_is_made_twice_where_an_answer_was_lost(h) {
        const page = await h.as('sue', '/replacements');
        await page.locator('[role=row] input[type=checkbox]').nth(2).waitFor();
        const rows = (await h.api('/v1/replacements?limit=3')).rows;
        const before = (await h.api('/v1/orders?kind=replace&limit=1000')).rows.length;
        for (const row of rows) await page.getByRole('row', { name: new RegExp(row.serial) }).locator('input[type=checkbox]').check();
        let posts = 0;
        const keys = [];
        await page.route('**/v1/orders', async (route) => {
            keys.push(route.request().headers()['idempotency-key']);
            if (++posts !== 2) return void (await route.continue());
            await route.fetch(); // carried out, and the answer is lost
            await route.abort('connectionreset');
        });
        await page.getByRole('button', { name: 'Make 3 orders' }).click();
        await page.locator('.strip.warn', { hasText: '1 order made.' }).waitFor();
        await page.getByRole('button', { name: 'Make 2 orders' }).click(); // the rows that have none yet are still marked
        await page.locator('.strip.good', { hasText: '2 orders made.' }).waitFor();
        is(keys.map((key) => keys.indexOf(key)).join(), '0,1,1,3', 'keys of the requests');
        is((await h.api('/v1/orders?kind=replace&limit=1000')).rows.length - before, 3, 'orders');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async a_budget_of_no_change_is_not_asked_for(h) {
        const page = await h.as('sue', '/replacements');
        const refused = [];
        await page.route('**/v1/replacements/budget?*', async (route) => {
            const answer = await route.fetch();
            if (!answer.ok()) refused.push(route.request().url());
            if (!answer.ok()) return void (await route.fulfill({ response: answer }));
            await route.fulfill({ json: { ...(await answer.json()), changes: 0 } }); // candidates, none of which pays
        });
        await page.reload();
        const slider = page.getByLabel('0 changes');
        await slider.waitFor();
        ok(await slider.isDisabled(), 'nothing to slide to');
        await page.waitForLoadState('networkidle');
        is(refused.join(), '', 'refused');
    },
    async a_flag_is_dismissed_with_a_reason_alone(h) {
        const flag = await open(h, 'stuck');
        const page = await h.as('sue', `/flags/${flag.id}`);
        await page.getByRole('button', { name: 'Dismiss' }).click();
        const form = page.getByRole('dialog');
        await form.getByRole('button', { name: 'Dismiss' }).click();
        ok(await form.getByLabel('Note').evaluate((e) => !e.checkValidity()), 'a reason is needed');
        await form.getByLabel('Note').fill('They are away.');
        await form.getByRole('button', { name: 'Dismiss' }).click();
        await page.locator('.badge', { hasText: 'Dismissed' }).waitFor();
        const now = await h.api(`/v1/flags/${flag.id}`);
        is(`${now.state} ${now.decided_by} ${now.note}`, 'dismissed sue They are away.', 'the flag');
    },
    async what_somebody_else_decides_shows_without_asking(h) {
        const flag = await open(h, 'overdue');
        const page = await h.as('sue', '/flags');
        await page.getByRole('row', { name: new RegExp(flag.point) }).waitFor();
        await page.locator('.line.on').waitFor();
        await h.api(`/v1/flags/${flag.id}`, { state: 'confirmed', note: 'seen' });
        await page.getByRole('row', { name: new RegExp(flag.point) }).waitFor({ state: 'hidden' });
    },
    async the_chart_goes_from_all_years_to_hours_and_every_bar_counts(h) {
        const flag = (await h.api('/v1/flags?kind=leak')).rows[0];
        const page = await h.as('sue', `/meters/${flag.serial}`);
        const asked = [];
        page.on('request', (r) => r.url().includes('/series') && asked.push(new URL(r.url())));
        await page.locator('canvas').waitFor();
        await page.getByRole('button', { name: 'All', exact: true }).click();
        await page.waitForFunction(() => document.querySelector('.chart canvas'));
        await page.getByRole('button', { name: '1 day', exact: true }).click();
        await page.locator('.chart-tools', { hasText: '–' }).waitFor();
        for (let n = 0; n < 3; n++) await page.getByRole('button', { name: 'Closer' }).click();
        await page.getByText('a bar is').waitFor();
        const last = asked.at(-1);
        const width = (Date.parse(last.searchParams.get('to')) - Date.parse(last.searchParams.get('from'))) / 3600e3;
        ok(width <= 6, `three times closer than a day shows ${width} hours`);
        ok(asked.some((u) => !u.searchParams.has('from')), 'all of it was asked for');
        await page.locator('.lines button', { hasText: 'Leak' }).click(); // its evidence
        await page.locator('p.says').waitFor();
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async a_meter_is_found_by_how_its_point_begins(h) {
        const flag = (await h.api('/v1/flags?kind=leak')).rows[0];
        const page = await h.as('sue', '/meters');
        await page.getByRole('searchbox', { name: 'Search' }).fill(flag.point);
        await page.locator('.hits a', { hasText: flag.point }).first().click();
        await page.locator('h1', { hasText: flag.serial }).waitFor();
    },
    async a_valve_is_closed_by_two_persons(h) {
        const { serial } = (await h.api('/v1/flags?kind=leak')).rows[0];
        const of = async (what) => (await h.api(`/v1/meters/${serial}/commands`)).rows.filter((c) => c.what === what);
        const page = await h.as('sue', `/meters/${serial}?tab=commands`);
        await page.getByRole('button', { name: 'Send a command' }).click();
        const form = page.getByRole('dialog');
        await form.getByLabel('What').selectOption('report_every');
        await form.getByLabel('Hours between reports').fill('1000');
        await form.getByRole('button', { name: 'Queue it' }).click();
        await form.locator('.field', { hasText: 'Hours' }).getByRole('alert').getByText('2678400').waitFor(); // refused at its field
        is((await of('report_every')).length, 0, 'commands that were refused');
        await form.getByLabel('Hours between reports').fill('0,5');
        await form.getByRole('button', { name: 'Queue it' }).click();
        await page.getByRole('row', { name: /Report every: 30 min.*Queued/ }).waitFor();
        is((await of('report_every'))[0].report_every_s, 1800, 'seconds between reports');

        await page.getByRole('button', { name: 'Send a command' }).click();
        await form.getByLabel('What').selectOption('close');
        await form.getByRole('button', { name: 'Queue it' }).click();
        const row = page.getByRole('row', { name: /Close the valve.*Waits for approval/ });
        await row.waitFor();
        is(await row.getByRole('button', { name: 'Approve' }).count(), 0, 'approving one’s own');
        const ada = await h.as('ada', `/meters/${serial}?tab=commands`);
        await ada.getByRole('row', { name: /Close the valve/ }).getByRole('button', { name: 'Approve' }).click();
        await ada.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
        await page.getByRole('row', { name: /Close the valve.*Queued.*sue \+ ada/ }).waitFor(); // without asking
        const [valve] = await of('valve');
        is(`${valve.open} ${valve.requested_by} ${valve.approved_by}`, 'false sue ada', 'the command');
        await row.or(page.getByRole('row', { name: /Close the valve/ })).getByRole('button', { name: 'Withdraw' }).click();
        await form.getByRole('button', { name: 'Withdraw' }).click();
        await page.getByRole('row', { name: /Close the valve.*Failed.*cancelled by sue/ }).waitFor();
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async who_may_command_what_is_what_the_server_says(h) {
        const { serial } = (await h.api('/v1/flags?kind=leak')).rows[0];
        const cai = await h.as('cai', `/meters/${serial}?tab=commands`);
        await cai.getByRole('button', { name: 'Send a command' }).click();
        is((await cai.getByRole('dialog').getByLabel('What').locator('option').allInnerTexts()).join(), 'Open the valve,Tell what is missing,Set the clock', 'what a crew may command');
        const before = (await h.api(`/v1/meters/${serial}/commands`)).rows.length;
        const send = (page, body, token) => page.evaluate(async ([s, b, t]) => {
            const { csrf } = await (await fetch('/v1/session')).json();
            return (await fetch(`/v1/meters/${s}/commands`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...(t ? { 'X-CSRF-Token': csrf } : {}) }, body: JSON.stringify(b) })).status;
        }, [serial, body, token]);
        is(await send(cai, { what: 'valve', open: false }, true), 403, 'a crew that closes a valve');
        is(await send(cai, { what: 'time' }, false), 403, 'a command without the token of the page');
        const vic = await h.as('vic', `/meters/${serial}?tab=commands`);
        await vic.locator('.table').waitFor();
        is(await vic.locator('.table button:not(.sort)').count(), 0, 'buttons of who only looks');
        is(await send(vic, { what: 'time' }, true), 403, 'a command of who only looks');
        is((await h.api(`/v1/meters/${serial}/commands`)).rows.length, before, 'commands');
    },
});
