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
    { path: '/routes', load: () => import('./views/routes'), roles: 'desk', word: 'routes.title', menu: 'work' },
    { path: '/routes/:route/day/:date', load: () => import('./views/route_day'), roles: 'desk', word: 'sheet.view' },
    { path: '/flags', load: () => import('./views/flags'), roles: 'all', word: 'flags.title', menu: 'work' },
    { path: '/flags/:id', load: () => import('./views/flag'), roles: 'all', word: 'flag.flag' },
    { path: '/meters', load: () => import('./views/meters'), roles: 'all', word: 'meters.title', menu: 'fleet' },
    { path: '/meters/:serial', load: () => import('./views/meter'), roles: 'all', word: 'meter.view' },
    { path: '/users', load: () => import('./views/users'), roles: 'chief', word: 'users.title', menu: 'house' },
    { path: '/password', load: () => import('./views/password'), roles: 'all', word: 'password.title' },
];
