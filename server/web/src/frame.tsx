// What stands around every view: the menu by role, language, theme, who is signed in; and the view that the address names.
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { forgetAll, may, roles, session, type Role } from './base/session';
import { isOfAnother, Problem, post } from './base/api';
import { theFacts } from './base/facts';
import { line } from './base/live';
import { go, match, place } from './base/router';
import { useStore } from './base/store';
import { choose, language, languages, named, word, type Language } from './base/words';
import { QueueLine } from './parts/queue';
import { Empty, Failed, Loading } from './parts/states';
import { choice, type Choice } from './parts/theme';
import { views, type View, type ViewProps } from './views';
import { SignIn } from './views/sign_in';

interface Found { view: View; names: Record<string, string> }

function find(path: string): Found | null {
    for (const view of views) {
        const names = match(view.path, path);
        if (names) return { view, names };
    }
    return null;
}

/** The code of the view that the address names comes while it is not known yet who is here. */
export const fetchView = (): void => void find(place.get().path)?.view.load().catch(() => undefined); // its own asking tells what is wrong

/** Not kept: the next person at this screen gets a page that knows nothing. */
export async function signOut(): Promise<void> {
    await forgetAll();
    try {
        await post('/v1/session/end');
    } catch (e) {
        if (isOfAnother(e)) return; // who is signed in here now did not ask for it
        if (!(e instanceof Problem && e.status === 401)) throw e;
    }
    session.set(null);
    go('#/');
}

function Menu({ path, done }: { path: string; done: () => void }) {
    const role = session.get()!.role as Role;
    const groups = (['work', 'fleet', 'money', 'house'] as const).map((group) => ({
        group, of: views.filter((v) => v.menu === group && (roles[v.roles] as Role[]).includes(role)),
    })).filter((g) => g.of.length);
    return (
        <nav class="menu" aria-label={word('base.menu')}>
            {groups.map(({ group, of }) => (
                <section key={group}>
                    <h2>{word(`menu.${group}`)}</h2>
                    <ul>{of.map((v) => {
                        const here = v.path === '/' ? path === '/' : path === v.path || path.startsWith(`${v.path}/`);
                        return <li key={v.path}><a href={`#${v.path}`} aria-current={here ? 'page' : undefined} onClick={done}>{word(v.word)}</a></li>;
                    })}</ul>
                </section>
            ))}
        </nav>
    );
}

export function Choices() {
    const l = useStore(language), t = useStore(choice);
    return (
        <span class="choices">
            <select aria-label="Language · 语言" value={l} onChange={(e) => choose(e.currentTarget.value as Language)}>
                {Object.entries(languages).map(([v, text]) => <option key={v} value={v}>{text}</option>)}
            </select>
            <select aria-label={word('base.theme')} value={t} onChange={(e) => choice.set(e.currentTarget.value as Choice)}>
                {(['auto', 'light', 'dark'] as const).map((v) => <option key={v} value={v}>{word(`base.theme_${v}`)}</option>)}
            </select>
        </span>
    );
}

function Shown({ found, query }: { found: Found; query: URLSearchParams }) {
    const [view, put] = useState<{ of: View; draw: ComponentType<ViewProps> } | null>(null);
    const [problem, setProblem] = useState<unknown>(null);
    const [turn, again] = useState(0);
    useEffect(() => {
        let wanted = true;
        setProblem(null);
        found.view.load().then((m) => wanted && put({ of: found.view, draw: m.default }), (e) => wanted && setProblem(e));
        return () => void (wanted = false);
    }, [found.view, turn]);
    if (problem) return <Failed problem={problem} again={() => again(turn + 1)} />;
    if (!view || view.of !== found.view) return <Loading />;
    const Draw = view.draw;
    return <Draw key={JSON.stringify(found.names)} names={found.names} query={query} />;
}

function Line() {
    const s = useStore(line);
    return s === 'on' ? <span class="line on" title={word('base.live')}><span aria-hidden="true">●</span> {word('base.live')}</span> : null;
}

export function Frame() {
    const who = useStore(session), here = useStore(place);
    useStore(language);
    const main = useRef<HTMLElement>(null), before = useRef(here.path);
    const [menu, setMenu] = useState(false);
    const found = find(here.path);
    useEffect(() => { // the focus goes to the new view's heading, as it does with a page that is loaded
        if (before.current === here.path) return undefined;
        before.current = here.path;
        setMenu(false);
        window.scrollTo(0, 0);
        let tries = 0;
        const timer = window.setInterval(() => {
            const h = main.current?.querySelector('h1');
            if (h || ++tries > 40) window.clearInterval(timer);
            if (!h) return;
            h.tabIndex = -1;
            h.focus({ preventScroll: true });
        }, 50);
        return () => window.clearInterval(timer);
    }, [here.path]);
    useEffect(() => {
        const name = found && who ? word(found.view.word) : word('signin.title');
        document.title = `${name} · ${theFacts().utility}`;
    });
    if (!who) return <SignIn />;
    return (
        <div class={`frame${menu ? ' menu-open' : ''}`}>
            <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus(); }}>{word('base.skip')}</a>
            <header class="top">
                <button type="button" class="menu-button" aria-expanded={menu} aria-controls="menu" onClick={() => setMenu(!menu)}><span aria-hidden="true">☰</span><span class="hidden">{word('base.menu')}</span></button>
                <a class="brand" href="#/"><img src="/web/icon.svg" alt="" width="28" height="28" /><span>{theFacts().utility}</span></a>
                <Line />
                <QueueLine />
                <div class="top-end">
                    <Choices />
                    <details class="person">
                        <summary><span class="who">{who.name}</span> <span class="quiet">{named('role', who.role)}{who.org ? ` · ${who.org}` : ''}</span></summary>
                        <div class="person-menu">
                            <a href="#/password">{word('password.title')}</a>
                            <button type="button" class="plain" onClick={() => void signOut()}>{word('signin.out')}</button>
                        </div>
                    </details>
                </div>
            </header>
            <aside id="menu"><Menu path={here.path} done={() => setMenu(false)} /></aside>
            <main ref={main} id="main" tabIndex={-1}>
                {!found ? <><h1>{word('base.no_view')}</h1><Empty><a href="#/">{word('base.home')}</a></Empty></>
                    : !may(found.view.roles) ? <><h1>{word(found.view.word)}</h1><Empty>{word('base.not_allowed')}</Empty></>
                    : <Shown found={found} query={here.query} />}
            </main>
        </div>
    );
}
