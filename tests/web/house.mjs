// A real nilod with a simulated town in a temporary folder, a person of each role, and Chromium to look at its page.
//
//   await claims({ async a_claim(h) { … } }, { meters: 60, days: 62 });   h: the house; a claim that throws has failed; its pages are closed behind it, unless `keep`
//
// NILO_BUILD_DIR: which nilod; an argument to run.mjs behind the test's name: that claim alone.
import { execFileSync, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const build = process.env.NILO_BUILD_DIR ?? join(root, 'build/debug');
const packages = createRequire(join(root, 'build/web/package.json'));
export const chromium_at = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
export const WAIT_MS = 60000; // for whatever is waited for; a machine may be busy
export const password = 'a long enough secret';
export const people = { ada: 'admin', sue: 'supervisor', rui: 'reader', bo: 'billing', sam: 'store', cai: 'crew', vic: 'viewer' };
export const today = '2026-03-04'; // of the town's people; the town's reads end at its midnight

export function is(found, expected, what) {
    if (found !== expected) throw new Error(`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
}
export function ok(found, what) {
    if (!found) throw new Error(what);
}

class House {
    constructor() {
        this.folder = mkdtempSync(join(tmpdir(), 'nilo-web-'));
        this.said = '';
    }

    /** Runs `nilo` and gives what it printed. */
    nilo(args, input = '') {
        try {
            return execFileSync(join(build, 'nilo'), args, { input, encoding: 'utf8', env: { ...process.env, NILO_SERVER: this.at, NILO_TOKEN_FILE: join(this.folder, 'store/admin.token') }, maxBuffer: 1 << 28, stdio: ['pipe', 'pipe', 'pipe'] });
        } catch (e) {
            throw new Error(`nilo ${args.join(' ')}: ${e.stderr || e.message}`);
        }
    }

    /** Asks the API as the administrator's token. */
    async api(path, body) {
        const token = readFileSync(join(this.folder, 'store/admin.token'), 'utf8').trim();
        const answer = await fetch(this.at + path, { method: body ? 'POST' : 'GET', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
        const value = await answer.json();
        if (!answer.ok) throw new Error(`${path}: ${answer.status} ${JSON.stringify(value)}`);
        return value;
    }

    async start(options = [], port = 0) {
        this.server = spawn(join(build, 'nilod'), ['--store', join(this.folder, 'store'), '--coap', '127.0.0.1:0', '--coaps', 'off', '--http', `127.0.0.1:${port}`, '--virtual-clock', `${today}T02:00:00Z`, ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
        this.server.stderr.on('data', (d) => (this.said += d));
        const line = await new Promise((resolve, reject) => {
            let text = '';
            const timer = setTimeout(() => reject(new Error(`nilod did not become ready: ${this.said}`)), WAIT_MS * 2);
            this.server.once('exit', (code) => reject(new Error(`nilod ended with ${code}: ${this.said}`)));
            this.server.stdout.on('data', (d) => {
                text += d;
                if (!text.includes('\n')) return;
                clearTimeout(timer);
                resolve(text);
            });
        });
        this.at = `http://${/ http=(\S+)/.exec(line)[1]}`;
        this.port = Number(this.at.split(':').pop());
        this.coap = / coap=(\S+)/.exec(line)[1];
    }

    async stop() {
        if (!this.server || this.server.exitCode !== null) return;
        const ended = new Promise((resolve) => this.server.once('exit', resolve));
        this.server.kill('SIGTERM');
        const code = await ended;
        if (code !== 0) throw new Error(`nilod ended with ${code}: ${this.said}`);
    }

    /** The town's register and reads. */
    settle({ meters, days }) {
        const town = join(this.folder, 'town');
        const first = new Date(Date.parse(`${today}T00:00:00Z`) - days * 86400e3).toISOString().slice(0, 10);
        this.nilo(['sim', 'town', town, '--meters', String(meters), '--days', String(days), '--start', first]);
        const leaking = /^(\w+),leak,/m.exec(readFileSync(join(town, 'truth.csv'), 'utf8'))?.[1];
        if (leaking) this.split(town, leaking);
        for (const list of ['orgs', 'zones', 'routes', 'meters', 'points', 'fittings', 'readings']) {
            if (existsSync(join(town, `${list}.csv`))) this.nilo(['import', list, join(town, `${list}.csv`)]);
        }
        if (leaking) this.nilo(['sim', 'replay', join(town, 'radio.csv'), '--coap', this.coap, '--meters', join(town, 'meters.csv')]);
        // The town's readers become one, who can sign in.
        const routes = join(town, 'routes.csv');
        if (existsSync(routes)) {
            const lines = readFileSync(routes, 'utf8').trim().split('\n');
            const at = lines[0].split(',').indexOf('reader'), days = lines[0].split(',').indexOf('days');
            this.nilo(['import', 'routes', '-'], lines.map((line, n) => (n ? line.split(',').map((cell, i) => (i === at ? 'rui' : i === days ? 'daily' : cell)).join(',') : line)).join('\n') + '\n');
        }
        this.nilo(['settle']);
    }

    /** A person of each role, all at once: a password takes long to be kept, by design. */
    async invite() {
        await Promise.all(Object.entries(people).map(([name, role]) => this.api('/v1/users', { name, role, password })));
    }

    /** A meter's reads of the last two days come by radio, so that it has frames; all others by a file, which is quicker. */
    split(town, serial) {
        const [head, ...rows] = readFileSync(join(town, 'readings.csv'), 'utf8').trim().split('\n');
        const late = new Date(Date.parse(`${today}T00:00:00Z`) - 2 * 86400e3).toISOString();
        const byRadio = (row) => row.startsWith(`${serial},`) && row.split(',')[1] >= late;
        writeFileSync(join(town, 'radio.csv'), `${[head, ...rows.filter(byRadio)].join('\n')}\n`);
        writeFileSync(join(town, 'readings.csv'), `${[head, ...rows.filter((row) => !byRadio(row))].join('\n')}\n`);
    }

    async browse() {
        const { chromium } = packages('playwright-core');
        this.browser = await chromium.launch({ executablePath: chromium_at, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--use-fake-device-for-media-stream'] });
    }

    /** A page of a fresh browser context, in a language and a width; what goes wrong in it fails its claim. */
    async page({ language = 'en', width = 1440, height, theme = 'light', storageState, at } = {}) {
        const context = await this.browser.newContext({ baseURL: at ?? this.at, locale: language === 'zh' ? 'zh-CN' : 'en-GB', viewport: { width, height: height ?? (width < 600 ? 844 : 900) }, deviceScaleFactor: width < 600 ? 2 : 1, colorScheme: theme, storageState });
        context.setDefaultTimeout(WAIT_MS);
        const page = await context.newPage();
        page.wrongs = [];
        page.on('pageerror', (e) => page.wrongs.push(String(e)));
        page.on('console', (m) => {
            // What was refused is told by the page, not by the browser's own line about it; a policy that is hurt is a defect.
            if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) page.wrongs.push(m.text());
        });
        return page;
    }

    /** Of somebody who signed in once, for pages that are not about signing in. */
    async cookies(name) {
        this.signed ??= new Map();
        if (!this.signed.has(name)) {
            const answer = await fetch(`${this.at}/v1/session`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name, password }) });
            const value = /nilo_session=([^;]+)/.exec(answer.headers.get('set-cookie'))[1];
            this.signed.set(name, { cookies: [{ name: 'nilo_session', value, domain: '127.0.0.1', path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Strict' }], origins: [] });
        }
        return this.signed.get(name);
    }

    /** A page of somebody who is signed in, at a view. */
    async as(name, path, options = {}) {
        const page = await this.page({ ...options, storageState: await this.cookies(name) });
        await page.goto(`/#${path}`);
        await page.locator('header.top').waitFor();
        return page;
    }

    async signIn(page, name, path = '/') {
        await page.goto(`/#${path}`);
        await page.locator('input[autocomplete=username]').fill(name);
        await page.locator('input[type=password]').fill(password);
        await page.locator('form button[type=submit]').click();
        await page.locator('header.top').waitFor();
    }

    async end() {
        await this.browser?.close();
        await this.stop();
        rmSync(this.folder, { recursive: true, force: true });
    }
}

/** Another view in an open page, by the address as people do; whatever was open in it is gone, also where the address stays the same. */
export async function visit(page, path) {
    await page.goto('/#/nothing');
    await page.waitForFunction(() => !document.querySelector('header.top') || document.querySelector('main > .empty a[href="#/"]'));
    await page.goto(`/#${path}`);
}

/** What axe finds against WCAG 2.2 A and AA. */
export async function axe(page, rules = null) {
    if (!(await page.evaluate(() => !!window.axe))) await page.evaluate(readFileSync(packages.resolve('axe-core/axe.min.js'), 'utf8')); // by the debugger: the page's own policy stays
    const found = await page.evaluate((only) => window.axe.run(document, { resultTypes: ['violations'], runOnly: only ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }), rules);
    return found.violations.map((v) => `${v.id}: ${v.help}\n        ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')}: ${(n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? ''}`).join('\n        ')}`);
}

export function shots() {
    const folder = join(root, 'build/shots');
    mkdirSync(folder, { recursive: true });
    return folder;
}

/** Runs claims one after the other in one house; the process ends with how it went. */
export async function claims(of, { meters = 60, days = 62, options = [], keep = false } = {}) {
    const only = process.argv[3];
    const house = new House();
    let failed = 0;
    try {
        await house.start(options);
        house.settle({ meters, days });
        await Promise.all([house.invite(), house.browse()]);
        for (const [name, claim] of Object.entries(of)) {
            if (only && name !== only) continue;
            const began = Date.now();
            try {
                await claim(house);
                console.log(`ok      ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
            } catch (e) {
                failed++;
                const said = await Promise.all((house.browser?.contexts() ?? []).flatMap((c) => c.pages()).map((p) => p.locator('[role=alert], .refusal').allInnerTexts().catch(() => [])));
                console.log(`FAILED  ${name}\n      ${e.stack ?? e}\n      the page said: ${said.flat().join(' | ') || 'nothing'}\n      again: tests/web/run.mjs ${process.argv[2]} ${name}`);
            }
            if (!keep) for (const context of house.browser.contexts()) await context.close();
        }
    } catch (e) {
        failed++;
        console.log(`FAILED  ${e.stack ?? e}`);
    }
    await house.end().catch((e) => {
        failed++;
        console.log(`FAILED  ${e.message}`);
    });
    process.exit(failed ? 1 : 0);
}
