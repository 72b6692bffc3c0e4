// The page: facts, words and session first, then the frame around the view that the address names.
import { render } from 'preact';
import { loadFacts } from './base/facts';
import { speak } from './base/words';
import { whoAmI } from './base/api';
import './parts/theme';
import { Frame } from './frame';

async function begin(): Promise<void> {
    const page = document.getElementById('page')!;
    try {
        await Promise.all([speak(), loadFacts(), whoAmI()]);
        render(<Frame />, page);
    } catch {
        page.textContent = 'The server does not answer. Try again in a moment. · 服务器没有响应，请稍后再试。';
    }
}
void begin();
