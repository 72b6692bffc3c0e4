// Signing in and out, people, and what a page must not let through.
import { claims, is, ok, password, WAIT_MS } from './house.mjs';

await claims({
    async a_link_leads_to_its_view_once_one_has_signed_in(h) {
        const page = await h.page();
        await h.signIn(page, 'ada', '/users');
        await page.locator('h1', { hasText: 'People' }).waitFor();
        await page.reload();
        await page.locator('h1', { hasText: 'People' }).waitFor(); // the session is the cookie's, not the page's
        is(await page.evaluate(() => document.cookie), '', 'no script reads the session');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async a_wrong_password_is_told_and_lets_nobody_in(h) {
        const page = await h.page();
        await page.goto('/');
        await page.locator('input[autocomplete=username]').fill('ada');
        await page.locator('input[type=password]').fill('not the secret');
        await page.locator('form button[type=submit]').click();
        await page.locator('[role=alert]', { hasText: 'do not fit' }).waitFor();
        is(await page.locator('header.top').count(), 0, 'the frame');
    },
    async signing_out_ends_the_session_on_the_server(h) {
        const page = await h.page();
        await h.signIn(page, 'rui');
        const before = (await page.context().cookies()).find((c) => c.name === 'nilo_session').value;
        await page.locator('.person summary').click();
        await page.locator('.person-menu button').click();
        await page.locator('.sign-in form').waitFor();
        is((await fetch(`${h.at}/v1/session`, { headers: { Cookie: `nilo_session=${before}` } })).status, 401, 'the old cookie');
    },
    async a_session_that_was_planted_is_never_the_one_that_signs_in(h) {
        const page = await h.page();
        const planted = 'A'.repeat(43);
        await page.context().addCookies([{ name: 'nilo_session', value: planted, url: h.at }]);
        await h.signIn(page, 'rui');
        const now = (await page.context().cookies()).find((c) => c.name === 'nilo_session').value;
        ok(now !== planted, 'the planted cookie became a session');
        is((await fetch(`${h.at}/v1/session`, { headers: { Cookie: `nilo_session=${planted}` } })).status, 401, 'the planted cookie');
    },
    async what_writes_needs_the_token_that_the_page_alone_knows(h) {
        const page = await h.page();
        await h.signIn(page, 'ada');
        const status = (headers) => page.evaluate(async (more) => (await fetch('/v1/users', { method: 'POST', headers: { 'Content-Type': 'application/json', ...more }, body: JSON.stringify({ name: 'eve', role: 'admin', password: 'a long enough secret' }) })).status, headers);
        is(await status({}), 403, 'without a token');
        is(await status({ 'X-CSRF-Token': '0'.repeat(64) }), 403, 'with another token');
        is((await h.api('/v1/users')).rows.filter((u) => u.name === 'eve').length, 0, 'people called eve');
    },
    async a_person_is_made_changed_and_shut_out(h) {
        const page = await h.page();
        await h.signIn(page, 'ada', '/users');
        await page.getByRole('button', { name: 'New person' }).click();
        const form = page.getByRole('dialog');
        await form.getByLabel('Name').fill('mei');
        await form.getByLabel('Role').selectOption('crew');
        await form.getByLabel('Password').fill('mei');
        await form.getByRole('button', { name: 'Create' }).click();
        await form.getByLabel('Password').and(page.locator('[aria-invalid], :invalid')).waitFor();
        await form.getByLabel('Password').fill(password);
        await form.getByRole('button', { name: 'Create' }).click();
        await form.waitFor({ state: 'hidden' });
        await page.getByRole('row', { name: /mei/ }).click();
        await page.getByRole('dialog').getByLabel('May sign in').uncheck();
        await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
        await page.getByRole('row', { name: /mei.*Shut out/ }).waitFor();
        is((await h.api('/v1/users')).rows.find((u) => u.name === 'mei').enabled, false, 'enabled');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async who_signs_in_anew_in_another_tab_goes_on_here_and_another_does_not(h) {
        const page = await h.page();
        const elsewhere = (name) => page.evaluate(async (who) => (await fetch('/v1/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(who) })).status, { name, password });
        const create = async (name) => {
            await page.getByRole('button', { name: 'New person' }).click();
            await page.getByRole('dialog').getByLabel('Name').fill(name);
            await page.getByRole('dialog').getByLabel('Role').selectOption('crew');
            await page.getByRole('dialog').getByLabel('Password').fill(password);
            await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
        };
        await h.signIn(page, 'ada', '/users');
        is(await elsewhere('ada'), 201, 'ada anew');
        await create('first');
        await page.getByRole('row', { name: /first/ }).waitFor();
        is(await elsewhere('sue'), 201, 'sue');
        await create('second');
        await page.locator('.person .who', { hasText: 'sue' }).waitFor(); // the page is hers now
        is((await h.api('/v1/users')).rows.filter((u) => u.name === 'second').length, 0, 'what sue did not ask for');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async the_page_lets_in_no_script_but_its_own(h) {
        const page = await h.page();
        await h.signIn(page, 'rui');
        const policy = (await page.request.get('/')).headers()['content-security-policy'];
        ok(!/unsafe/.test(policy) && /default-src 'none'/.test(policy), policy);
        await page.evaluate(() => {
            document.body.insertAdjacentHTML('beforeend', '<img src="x:" onerror="window.hurt = 1"><a id="js" href="javascript:window.hurt = 1">x</a>');
            const s = document.createElement('script');
            s.textContent = 'window.hurt = 1';
            document.body.append(s);
            document.getElementById('js').click();
        });
        await page.waitForFunction(() => [...document.images].every((i) => i.complete), null, { timeout: WAIT_MS });
        is(await page.evaluate(() => window.hurt), undefined, 'a script that came from elsewhere ran');
    },
}, { meters: 3, days: 3 });
