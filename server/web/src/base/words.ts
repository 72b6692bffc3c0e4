// The words of the page: one table a language (words/en.ts, words/zh.ts), a section a view.
//
//   word('flags.title')                       the text
//   word('table.rows', { n: 1204 })           "{n} {n?row:rows}" → "1,204 rows"; {n?one:many} chooses by the number
//   named('kind', 'leak')                     of a section whose keys are the server's own words; unknown ones as they come
import { store } from './store';
import type { en } from '../words/en';

export type Language = 'en' | 'zh';
export type Table = { [S in keyof typeof en]: { [K in keyof (typeof en)[S]]: string } };
export type Section = keyof Table;
export type Word = { [S in Section]: `${S}.${keyof Table[S] & string}` }[Section];
export type Slots = Record<string, string | number>;

export const languages: Record<Language, string> = { en: 'English', zh: '中文' };
declare const WORDS: Record<Language, string>; // files of the page, named by the bundle

async function load(l: Language): Promise<Table> {
    const answer = await fetch(`/web/${WORDS[l]}`);
    if (!answer.ok) throw new Error(`${WORDS[l]}: ${answer.status}`);
    return answer.json();
}

let table: Table | undefined;
export const language = store<Language>('en');

function wished(): Language {
    const kept = localStorage.getItem('language');
    if (kept === 'en' || kept === 'zh') return kept;
    return navigator.languages.some((l) => l.startsWith('zh')) ? 'zh' : 'en';
}

/** Loads a language's table, then draws the page in it. */
export async function speak(l: Language = wished()): Promise<void> {
    table = await load(l);
    document.documentElement.lang = l === 'zh' ? 'zh-CN' : 'en';
    language.set(l);
}

export function choose(l: Language): void {
    localStorage.setItem('language', l);
    void speak(l);
}

/** Of a number's places and groups, and of dates in words. */
export const locale = (): string => (language.get() === 'zh' ? 'zh-CN' : 'en-GB');

function fill(text: string, slots: Slots): string {
    return text
        .replace(/\{(\w+)\?([^:{}]*):([^{}]*)\}/g, (_, name, one, many) => (slots[name] === 1 ? one : many))
        .replace(/\{(\w+)\}/g, (_, name) => {
            const v = slots[name];
            return typeof v === 'number' ? v.toLocaleString(locale()) : (v ?? `{${name}}`);
        });
}

export function word(key: Word, slots: Slots = {}): string {
    const dot = key.indexOf('.');
    const section = table?.[key.slice(0, dot) as Section] as Record<string, string> | undefined; // what fails before there are words has none
    return fill(section?.[key.slice(dot + 1)] ?? key, slots);
}

export function named(section: Section, value: string | null | undefined): string {
    if (!value) return '–';
    return (table?.[section] as Record<string, string> | undefined)?.[value] ?? value;
}
