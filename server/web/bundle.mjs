// Bundles src/ for the browser and writes build/web/files.c, which puts all of it into nilod.
//
//   node bundle.mjs OUT     OUT/files/NAME, OUT/files/NAME.gz, OUT/files.c; fails where the scripts are larger than BYTES_MOST
import * as esbuild from 'esbuild';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const BYTES_MOST = 150 * 1024; // of all scripts together, gzip
const out = process.argv[2];
const files = `${out}/files`;
const common = {
    bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, outdir: files, legalComments: 'none',
    jsx: 'automatic', jsxImportSource: 'preact', logLevel: 'warning',
    loader: { '.png': 'empty', '.svg': 'text' }, // Leaflet's style sheet names images that the page does not use
};

const made = new Map(); // name → { bytes, fixed }

function keep(result, fixed) {
    for (const file of result.outputFiles) made.set(file.path.slice(file.path.lastIndexOf('/') + 1), { bytes: Buffer.from(file.contents), fixed });
}

// The words of a language are data: one table is loaded, by its name.
const words = {};
for (const language of ['en', 'zh']) {
    const [file] = (await esbuild.build({ ...common, entryPoints: [`src/words/${language}.ts`] })).outputFiles;
    const table = (await import(`data:text/javascript;base64,${Buffer.from(file.contents).toString('base64')}`))[language];
    const bytes = Buffer.from(JSON.stringify(table));
    words[language] = `words-${language}-${createHash('sha256').update(bytes).digest('hex').slice(0, 8).toUpperCase()}.json`;
    made.set(words[language], { bytes, fixed: true });
}

const app = await esbuild.build({
    ...common, define: { WORDS: JSON.stringify(words) }, entryPoints: ['src/main.tsx', 'src/style.css'], splitting: true, metafile: true,
    entryNames: '[name]-[hash]', chunkNames: 'part-[hash]',
});
keep(app, true);
const named = (source) => {
    const found = Object.entries(app.metafile.outputs).find(([, o]) => o.entryPoint === source);
    return found[0].slice(found[0].lastIndexOf('/') + 1);
};
const script = named('src/main.tsx'), style = named('src/style.css');
// What the first view needs at once: the entry and the parts that it imports statically.
const needed = Object.entries(app.metafile.outputs).find(([, o]) => o.entryPoint === 'src/main.tsx')[1].imports
    .filter((i) => i.kind === 'import-statement').map((i) => i.path.slice(i.path.lastIndexOf('/') + 1));
const html = readFileSync('src/index.html', 'utf8')
    .replace('<!-- parts -->', needed.map((n) => `<link rel="modulepreload" href="/web/${n}">`).join(''))
    .replaceAll('main.js', script).replaceAll('style.css', style);
made.set('index.html', { bytes: Buffer.from(html), fixed: false });
for (const name of readdirSync('src/public')) made.set(name, { bytes: readFileSync(`src/public/${name}`), fixed: false });
if (existsSync('src/sw.ts')) {
    const shell = ['/', ...[...made.keys()].filter((n) => n !== 'index.html').map((n) => `/web/${n}`)];
    const version = createHash('sha256').update(html).update(shell.join()).digest('hex').slice(0, 16);
    keep(await esbuild.build({
        ...common, format: 'iife', entryPoints: ['src/sw.ts'], entryNames: '[name]',
        define: { SHELL: JSON.stringify(shell), VERSION: JSON.stringify(version) },
    }), false);
}

const types = {
    html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8',
    json: 'application/json; charset=utf-8', svg: 'image/svg+xml', png: 'image/png', webmanifest: 'application/manifest+json',
};
rmSync(files, { recursive: true, force: true });
mkdirSync(files, { recursive: true });
let scripts = 0;
const lines = [], rows = [];
[...made.keys()].sort().forEach((name, n) => {
    const { bytes, fixed } = made.get(name);
    const type = types[name.slice(name.lastIndexOf('.') + 1)];
    if (!type) throw new Error(`src/public/${name}: expected a name that ends with one of ${Object.keys(types).join(', ')}`);
    const gzip = gzipSync(bytes, { level: 9 });
    const packed = gzip.length < bytes.length;
    const tag = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    if (name.endsWith('.js')) scripts += gzip.length;
    writeFileSync(`${files}/${name}`, bytes);
    if (packed) writeFileSync(`${files}/${name}.gz`, gzip);
    lines.push(`HELD(raw_${n}, "${files}/${name}") /* ${tag} */`);
    if (packed) lines.push(`HELD(packed_${n}, "${files}/${name}.gz")`);
    rows.push(`    { "${name}", "${type}", "${tag}", ${fixed}, raw_${n}, ${packed ? `packed_${n}` : 'NULL'}, ${bytes.length}, ${packed ? gzip.length : 0} },`);
    console.log(`${String(gzip.length).padStart(8)} bytes gzip  ${name}`);
});
console.log(`${String(scripts).padStart(8)} bytes gzip of scripts, at most ${BYTES_MOST}`);
if (scripts > BYTES_MOST) {
    console.error(`the page's scripts have ${scripts} bytes after gzip, expected at most ${BYTES_MOST}`);
    process.exit(1);
}
writeFileSync(`${out}/files.c`, `/* Written by server/web/bundle. */
#include "server/query/page.h"

#define HELD(name, file) \\
    __asm__(".section .rodata\\n.balign 16\\n" #name ":\\n.incbin \\"" file "\\"\\n.byte 0\\n.previous\\n"); \\
    extern const unsigned char name[] __attribute__((visibility("hidden")));
${lines.join('\n')}

const struct page_file page_files[] = {
${rows.join('\n')}
    { NULL, NULL, NULL, false, NULL, NULL, 0, 0 },
};
`);
