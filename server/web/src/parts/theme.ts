// Dark or light: as the system says, or as somebody chose.
import { store } from '../base/store';

export type Choice = 'auto' | 'light' | 'dark';
const system = matchMedia('(prefers-color-scheme: dark)');
const kept = localStorage.getItem('theme');
export const choice = store<Choice>(kept === 'light' || kept === 'dark' ? kept : 'auto');
export const theme = store<'light' | 'dark'>('light');

function apply(): void {
    const c = choice.get();
    const now = c === 'auto' ? (system.matches ? 'dark' : 'light') : c;
    document.documentElement.dataset.theme = now;
    theme.set(now);
}
system.addEventListener('change', apply);
choice.watch((c) => {
    if (c === 'auto') localStorage.removeItem('theme');
    else localStorage.setItem('theme', c);
    apply();
});
apply();
