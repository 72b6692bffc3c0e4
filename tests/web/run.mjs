#!/usr/bin/env node
// run.mjs NAME [CLAIM]   runs tests/web/test_NAME.mjs; 77 (skipped) where there is no Chromium, 1 there in CI
import { chromium_at } from './house.mjs';

const name = process.argv[2];
if (!/^[a-z_]+$/.test(name ?? '')) {
    console.error('usage: tests/web/run.mjs NAME [CLAIM]');
    process.exit(2);
}
if (!chromium_at) {
    console.log('skipped: there is no Chromium here: tools/install test');
    process.exit(process.env.CI ? 1 : 77);
}
await import(`./test_${name}.mjs`);
