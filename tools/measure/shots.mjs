// Shots of the page as people see it: tools/demo --once.
//
//   node tools/measure/shots.mjs SERVER FOLDER DATE NAME PASSWORD     NAME: a dispatcher
//
// Leaves FOLDER/sheet.png, flags.png, meter.png and flag-phone.png; without Chromium it says so and leaves none.
import { createRequire } from 'node:module';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const { chromium } = createRequire(join(root, 'build/web/package.json'))('playwright-core');
const [server, folder, date, name, password] = process.argv.slice(2);
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
if (!executablePath) {
    console.log('no shots: there is no Chromium here');
    process.exit(0);
}
mkdirSync(folder, { recursive: true });
const signed = await fetch(`${server}/v1/session`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name, password }) });
const cookie = { name: 'nilo_session', value: /nilo_session=([^;]+)/.exec(signed.headers.get('set-cookie'))[1], url: server };
const leak = (await (await fetch(`${server}/v1/flags?state=open&kind=leak`, { headers: { Cookie: `nilo_session=${cookie.value}` } })).json()).rows.sort((a, b) => b.lost_lpd - a.lost_lpd)[0];
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });

async function shoot(file, path, { width = 1440, height = 860, locale = 'en-GB' } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: width < 600 ? 2 : 1, locale });
    await context.addCookies([cookie]);
    const page = await context.newPage();
    await page.goto(`${server}/#${path}`);
    await page.locator('.chart canvas').first().waitFor();
    await page.waitForFunction(() => !document.querySelector('.spinner'));
    await page.screenshot({ path: join(folder, file) });
    await context.close();
}
await shoot('sheet.png', `/routes/R001/day/${date}`);
await shoot('flags.png', '/flags', { locale: 'zh-CN' });
if (leak) {
    await shoot('meter.png', `/meters/${leak.serial}`);
    await shoot('flag-phone.png', `/flags/${leak.id}`, { width: 390, height: 844, locale: 'zh-CN' });
}
await browser.close();
console.log(`shots of the page: ${folder}`);
