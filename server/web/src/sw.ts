// The service worker: the page's own files, so that it opens without a signal. Never an answer of the API: what people may see is not for the next one at this device.
declare const SHELL: string[];
declare const VERSION: string;
const worker = self as unknown as ServiceWorkerGlobalScope;
const NAME = `shell-${VERSION}`, WAIT_MS = 4000;

worker.addEventListener('install', (e) => {
    e.waitUntil(caches.open(NAME).then((c) => c.addAll(SHELL)).then(() => worker.skipWaiting()));
});
worker.addEventListener('activate', (e) => {
    e.waitUntil(caches.keys().then((names) => Promise.all(names.filter((n) => n !== NAME).map((n) => caches.delete(n)))).then(() => worker.clients.claim()));
});

/** The server's page where it comes soon, else the one that was kept. */
async function page(request: Request): Promise<Response> {
    const there = await caches.match('/', { cacheName: NAME });
    const asked = fetch(request);
    if (!there) return asked;
    const late = new Promise<Response>((resolve) => setTimeout(() => resolve(there.clone()), WAIT_MS));
    return Promise.race([asked.catch(() => there.clone()), late]);
}

async function file(request: Request): Promise<Response> {
    return (await caches.match(request, { cacheName: NAME })) ?? fetch(request);
}

worker.addEventListener('fetch', (e) => {
    const url = new URL(e.request.url);
    if (e.request.method !== 'GET' || url.origin !== worker.location.origin) return;
    if (url.pathname === '/') e.respondWith(page(e.request));
    else if (url.pathname.startsWith('/web/') && url.pathname !== '/web/sw.js') e.respondWith(file(e.request));
});
