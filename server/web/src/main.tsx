// The page: facts, words and session first, all at once and beside the view that the address names; then the frame around that.
import { render } from 'preact';
import { loadFacts } from './base/facts';
import { keepForLater, openKept } from './base/offline';
import { session } from './base/session';
import { speak } from './base/words';
import { Problem, whoAmI } from './base/api';
import './parts/theme';
import { fetchView, Frame } from './frame';

async function begin(): Promise<void> {
    const page = document.getElementById('page')!;
    try {
        const words = speak();
        fetchView();
        try {
            await Promise.all([words, loadFacts(), whoAmI()]);
        } catch (e) {
            await words;
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
