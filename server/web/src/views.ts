// The views, one line each: where, what loads it, who may, its word; `menu`: it stands in the menu, under that group.
import type { ComponentType } from 'preact';
import type { Roles } from './base/session';
import type { Word } from './base/words';

export interface ViewProps { names: Record<string, string>; query: URLSearchParams }
export interface View {
    path: string;
    load: () => Promise<{ default: ComponentType<ViewProps> }>;
    roles: Roles;
    word: Word;
    menu?: 'work' | 'fleet' | 'money' | 'house';
}

export const views: View[] = [
    { path: '/', load: () => import('./views/today'), roles: 'all', word: 'today.title', menu: 'work' },
    { path: '/users', load: () => import('./views/users'), roles: 'chief', word: 'users.title', menu: 'house' },
    { path: '/password', load: () => import('./views/password'), roles: 'all', word: 'password.title' },
];
