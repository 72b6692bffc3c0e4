// The page: facts, words and session first, then the frame around the view that the address names.
import { render } from 'preact';
import { loadFacts } from './base/facts';
import { keepForLater, openKept } from './base/offline';
import { session } from './base/session';
import { speak } from './base/words';
import { Problem, whoAmI } from './base/api';
import './parts/theme';
import { Frame } from './frame';

async function begin(): Promise<void> {
    const page = document.getElementById('page')!;
    try {
        await speak();
        try {
            await Promise.all([loadFacts(), whoAmI()]);
        } catch (e) {
            if (!(e instanceof Problem && e.lost && (await openKept()))) throw e;
        }
        render(<Frame />, page);
        session.watch((s) => s?.csrf && void keepForLater());
        if (session.get()?.csrf) void keepForLater();
    } catch {
        page.textContent = 'The server does not answer. Try again in a moment. · 服务器没有响应，请稍后再试。';
    }
}
void begin();
