// A crew in a cellar: the page opens without a signal, what is reported waits on the device, is sent once, and stock, fitting and bill are right afterwards.
import http from 'node:http';
import { claims, is, ok, WAIT_MS } from './house.mjs';
import { crewWorld } from './crew_world.mjs';

/** The way between browser and server: it can be down, and it can lose an answer whose request arrived. */
class Line {
    constructor(to) {
        this.to = new URL(to);
        this.up = true;
        this.lost = 0;
        this.seen = [];
        this.sockets = new Set();
        this.server = http.createServer((req, res) => this.pass(req, res));
        this.server.on('connection', (s) => {
            this.sockets.add(s);
            s.on('close', () => this.sockets.delete(s));
            if (!this.up) s.destroy();
        });
    }
    async begin() {
        await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
        this.at = `http://127.0.0.1:${this.server.address().port}`;
        return this;
    }
    cut() {
        this.up = false;
        for (const s of this.sockets) s.destroy();
    }
    pass(req, res) {
        if (!this.up) return void req.socket.destroy();
        const through = http.request({ host: this.to.hostname, port: this.to.port, path: req.url, method: req.method, headers: req.headers }, (answer) => {
            if (req.method === 'POST') this.seen.push(`${req.url} ${answer.statusCode}`);
            if (this.loses?.(req)) {
                this.loses = null;
                this.lost++;
                answer.resume();
                answer.on('end', () => req.socket.destroy());
                return;
            }
            const on = () => {
                res.writeHead(answer.statusCode, answer.headers);
                answer.pipe(res);
            };
            if (this.holds?.url === req.url) void this.holds.until.then(on);
            else on();
        });
        through.on('error', () => req.socket.destroy());
        res.on('close', () => through.destroy());
        req.pipe(through);
    }
    end() {
        this.cut();
        this.server.close();
    }
}

async function crew(h, line) {
    const page = await h.page({ width: 390, at: line.at });
    page.on('dialog', (d) => void d.accept());
    await h.signIn(page, 'cai');
    await page.locator('.stops .stop').first().waitFor();
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
    await page.waitForFunction(async () => (await indexedDB.databases()).some((d) => d.name === 'nilometer') && (await caches.keys()).length > 0, null, { timeout: WAIT_MS });
    return page;
}

// A dot each: what is in a photo names it, so that one that is there needs no room.
const black = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const white = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==';

async function report(page, job, { serial = job.fresh, photo = black } = {}) {
    await page.getByLabel(/^Old meter/).fill((job.closing_l / 1000).toFixed(3));
    await page.getByLabel('New meter: serial').fill(serial);
    await page.getByLabel('New meter: dial, m³').fill('0,5');
    if (photo) {
        await page.getByLabel('Photo').setInputFiles({ name: 'dial.png', mimeType: 'image/png', buffer: Buffer.from(photo, 'base64') });
        await page.locator('.photo img').waitFor();
    }
    await page.getByRole('button', { name: 'Report', exact: true }).click();
    await page.locator('.queue').or(page.locator('.queue-line')).first().waitFor();
}

/** What the server says of a job that is done: fitting, lives, stock and bill. */
async function isDone(h, job) {
    const [point, old, fresh, order, stock] = await Promise.all([
        h.api(`/v1/points/${encodeURIComponent(job.point)}`), h.api(`/v1/meters/${encodeURIComponent(job.old)}`), h.api(`/v1/meters/${job.fresh}`), h.api(`/v1/orders/${job.order}`), h.api('/v1/stock?crew=cai')]);
    is(point.serial, job.fresh, `meter at ${job.point}`);
    is(old.state, 'removed', `state of ${job.old}`);
    is(fresh.state, 'running', `state of ${job.fresh}`);
    is(order.state, 'done', `state of ${job.order}`);
    is(order.index_l, job.closing_l, 'closing index');
    is(order.new_index_l, 500, 'start index');
    const left = h.crew.filter((j) => !j.done && j !== job).length;
    is(stock.rows.reduce((n, r) => n + (r.count ?? r.meters ?? 0), 0), left, 'meters that the crew has left');
    job.done = true;
    const fittings = (await h.api(`/v1/fittings?point=${encodeURIComponent(job.point)}`)).rows;
    is(fittings.filter((f) => f.serial === job.fresh).length, 1, `fittings of ${job.fresh}`);
    const bill = await h.api(`/v1/points/${encodeURIComponent(job.point)}/consumption?from=${encodeURIComponent(job.last_at)}&to=${encodeURIComponent(order.done_at)}`);
    ok(Math.abs(bill.consumption_l - (job.closing_l - job.last_l)) < 1e-6, `litres since the last reading: ${bill.consumption_l}`);
    is(bill.quality, 'actual', 'quality of the bill');
    return order;
}

await claims({
    async a_crew_exchanges_a_meter_without_a_signal(h) {
        const [job] = await crewWorld(h);
        const line = await new Line(h.at).begin();
        const page = await crew(h, line);
        line.cut();
        await page.reload();
        await page.locator('.strip', { hasText: 'No signal' }).waitFor(); // the page opens, and shows the day as it was
        is(await page.locator('.stops .stop').count(), h.crew.length, 'stops');
        await page.locator(`a[href="#/orders/${job.order}"]`).first().click();
        await report(page, job);
        await page.locator('.queue-line', { hasText: '1 to send' }).waitFor();
        await page.reload(); // it is on the device, not in the page
        await page.locator('.queue-line', { hasText: '1 to send' }).waitFor();
        is((await h.api(`/v1/orders/${job.order}`)).state, 'assigned', 'the order before there is a signal');
        line.up = true;
        await page.getByRole('button', { name: 'Send now' }).click({ timeout: 5000 }).catch(() => undefined); // it may go by itself meanwhile
        await page.locator('.queue-line', { hasText: 'All sent' }).waitFor();
        const order = await isDone(h, job);
        ok(/^[0-9a-f]{64}$/.test(order.photo), `the photo: ${order.photo}`);
        is((await page.request.get(`/v1/photos/${order.photo}`)).headers()['content-type'], 'image/jpeg', 'what the photo is');
        is(line.seen.filter((s) => s.includes('/done')).length, 1, 'reports that were sent');
        await page.goto(`${h.at}/#/orders/${job.order}`); // closed, it says what came of it
        for (const said of ['Exchanged', 'cai', job.fresh, '0.500']) await page.locator('.facts dd', { hasText: said }).first().waitFor();
        is(page.wrongs.join(), '', 'what went wrong');
        await page.context().close();
        line.end();
    },
    async an_answer_that_was_lost_counts_once(h) {
        const [, job] = await crewWorld(h);
        const line = await new Line(h.at).begin();
        const page = await crew(h, line);
        await page.locator(`a[href="#/orders/${job.order}"]`).first().click();
        line.loses = (req) => req.url.endsWith('/done');
        await report(page, job, { photo: '' });
        await page.locator('.queue-line', { hasText: 'All sent' }).waitFor(); // by itself, after a while
        is(line.lost, 1, 'answers that were lost');
        is(line.seen.filter((s) => s.includes('/done')).join(), `/v1/orders/${job.order}/done 200,/v1/orders/${job.order}/done 200`, 'reports');
        await isDone(h, job);
        is((await h.api(`/v1/orders/${job.order}`)).history.filter((e) => e.after?.state === 'done').length, 1, 'times that it was done');
        await page.context().close();
        line.end();
    },
    async what_is_refused_shows_the_sentence_and_is_put_right(h) {
        const [, , job] = await crewWorld(h);
        const line = await new Line(h.at).begin();
        const page = await crew(h, line);
        await page.locator(`a[href="#/orders/${job.order}"]`).first().click();
        await report(page, job, { serial: 'NO-SUCH', photo: '' });
        await page.locator('.queue .refusal', { hasText: 'nobody registered the meter NO-SUCH' }).waitFor();
        await page.locator('.queue').getByRole('link', { name: 'Change' }).click();
        is(await page.getByLabel('New meter: serial').inputValue(), 'NO-SUCH', 'the form as it was filled in');
        await page.getByLabel('New meter: serial').fill(job.fresh);
        await page.getByRole('button', { name: 'Send again' }).click();
        await page.locator('.queue-line', { hasText: 'All sent' }).waitFor();
        await isDone(h, job);
        await page.context().close();
        line.end();
    },
    async a_full_server_is_told_of_and_what_was_reported_waits(h) {
        const [, , , , job] = await crewWorld(h);
        await h.stop();
        await h.start(['--photo-space', '0'], h.port);
        const line = await new Line(h.at).begin();
        const page = await crew(h, line);
        await page.locator(`a[href="#/orders/${job.order}"]`).first().click();
        await report(page, job, { photo: white });
        await page.locator('.queue .refusal', { hasText: 'The server has no room left' }).waitFor();
        await page.locator('.queue-line', { hasText: 'Server full' }).waitFor();
        await page.locator('.queue-line', { hasText: '1 to send' }).waitFor();
        is((await h.api(`/v1/orders/${job.order}`)).state, 'assigned', 'the order while there is no room');
        await h.stop();
        await h.start([], h.port);
        await page.locator('.queue-line', { hasText: 'All sent' }).waitFor(); // by itself
        await isDone(h, job);
        await page.context().close();
        line.end();
    },
    async who_signs_out_leaves_nothing_but_what_is_not_sent(h) {
        const [, , , job] = await crewWorld(h);
        const line = await new Line(h.at).begin();
        const page = await crew(h, line);
        await page.locator(`a[href="#/orders/${job.order}"]`).first().click();
        await page.locator('h2', { hasText: 'Exchange' }).waitFor();
        line.loses = () => false;
        await report(page, job, { serial: 'NO-SUCH', photo: '' });
        await page.locator('.queue .refusal').waitFor();
        await page.locator('.person summary').click();
        await page.locator('.person-menu button').click();
        await page.locator('.sign-in form').waitFor();
        const left = await page.evaluate(async () => {
            const db = await new Promise((resolve) => Object.assign(indexedDB.open('nilometer'), { onsuccess: (e) => resolve(e.target.result) }));
            const of = (name) => new Promise((resolve) => Object.assign(db.transaction(name).objectStore(name).getAll(), { onsuccess: (e) => resolve(e.target.result) }));
            return { kept: (await of('kept')).length, acts: (await of('acts')).map((a) => a.who).join(), caches: (await caches.keys()).length, workers: (await navigator.serviceWorker.getRegistrations()).length };
        });
        is(JSON.stringify(left), JSON.stringify({ kept: 0, acts: 'cai', caches: 0, workers: 0 }), 'what is left on the device');
        await h.signIn(page, 'rui'); // somebody else sees nothing of it
        is(await page.locator('.queue-line').count(), 0, 'the queue of another');
        await page.context().close();
        line.end();
    },
    async a_serial_is_scanned_and_the_camera_goes_off(h) {
        // Chromium's own fake camera; reading codes is the system's, which Linux does not have: a stand-in looks at the pictures and says what a code would be.
        const job = (await crewWorld(h)).find((j) => !j.done);
        const page = await h.page({ width: 390, storageState: await h.cookies('cai') });
        await page.context().grantPermissions(['camera']);
        await page.addInitScript(() => {
            const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            window.tracks = [];
            navigator.mediaDevices.getUserMedia = async (wish) => {
                const stream = await open(wish);
                window.tracks.push(...stream.getTracks());
                return stream;
            };
            window.seen = 0;
            window.BarcodeDetector = class {
                static async getSupportedFormats() { return ['qr_code', 'code_128', 'unknown']; }
                constructor({ formats }) { window.formats = formats; }
                async detect(video) {
                    const canvas = new OffscreenCanvas(8, 8), paper = canvas.getContext('2d');
                    paper.drawImage(video, 0, 0, 8, 8);
                    if (paper.getImageData(0, 0, 8, 8).data.some((v, n) => n % 4 !== 3 && v > 0)) window.seen++;
                    if (window.seen < 3) return [];
                    return [{ rawValue: '(01)06901234567892(21)NEW-77' }];
                }
            };
        });
        await page.goto(`/#/orders/${job.order}`);
        await page.getByRole('button', { name: 'Scan' }).click();
        await page.getByRole('dialog').locator('video').waitFor();
        await page.getByRole('dialog').waitFor({ state: 'hidden' });
        is(await page.getByLabel('New meter: serial').inputValue(), 'NEW-77', 'the serial');
        is(await page.evaluate(() => window.seen), 3, 'pictures until there was a code');
        is(await page.evaluate(() => [...window.formats].sort().join()), 'code_128,qr_code', 'formats: those that both know');
        is(await page.evaluate(() => window.tracks.map((t) => t.readyState).join()), 'ended', 'the camera');
        is(page.wrongs.join(), '', 'what went wrong');
    },
    async without_a_camera_the_serial_is_typed(h) {
        const job = (await crewWorld(h)).find((j) => !j.done);
        const page = await h.page({ width: 390, storageState: await h.cookies('cai') });
        await page.addInitScript(() => {
            window.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code']; } };
            navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };
        });
        await page.goto(`/#/orders/${job.order}`);
        await page.getByRole('button', { name: 'Scan' }).click();
        await page.getByRole('dialog').getByRole('alert').getByText('type the serial').waitFor();
        await page.keyboard.press('Escape');
        await page.getByLabel('New meter: serial').fill('NEW-78');
        const other = await h.page({ width: 390, storageState: await h.cookies('cai') });
        await other.addInitScript(() => { delete window.BarcodeDetector; });
        await other.goto(`/#/orders/${job.order}`);
        await other.getByLabel('New meter: serial').waitFor();
        is(await other.getByRole('button', { name: 'Scan' }).count(), 0, 'buttons for what the browser cannot');
        is([...page.wrongs, ...other.wrongs].join(), '', 'what went wrong');
    },
    async what_one_reported_is_never_sent_in_the_name_of_another(h) {
        const [, , , job] = await crewWorld(h);
        const line = await new Line(h.at).begin();
        const page = await crew(h, line);
        let pass;
        line.holds = { url: '/v1/photos', until: new Promise((resolve) => (pass = resolve)) };
        const asked = page.waitForRequest('**/v1/photos');
        await page.locator(`a[href="#/orders/${job.order}"]`).first().click();
        await report(page, job);
        await asked; // the photo is under way when cai goes and sue comes
        await page.locator('.person summary').click();
        await page.locator('.person-menu button').click();
        await page.locator('.sign-in form').waitFor();
        await h.signIn(page, 'sue');
        const came = page.waitForResponse('**/v1/photos');
        pass();
        await came;
        await page.locator('.person summary').click();
        await page.locator('.person-menu button').click();
        await page.locator('.sign-in form').waitFor();
        is((await h.api(`/v1/orders/${job.order}`)).state, 'assigned', 'the order before cai is back');
        await h.signIn(page, 'cai');
        await page.locator('.queue-line', { hasText: 'All sent' }).waitFor();
        is((await h.api(`/v1/orders/${job.order}`)).history.find((e) => e.after?.state === 'done').who, 'cai', 'who reported it');
        await isDone(h, job);
        await page.context().close();
        line.end();
    },
}, { meters: 40, days: 3 });
