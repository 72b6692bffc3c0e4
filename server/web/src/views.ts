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
    { path: '/visits', load: () => import('./views/visits'), roles: 'all', word: 'visits.title', menu: 'work' },
    { path: '/points/:point', load: () => import('./views/point'), roles: 'all', word: 'point.title' },
    { path: '/replacements', load: () => import('./views/replacements'), roles: 'all', word: 'replacements.title', menu: 'fleet' },
    { path: '/stock', load: () => import('./views/stock'), roles: 'all', word: 'stock.title', menu: 'fleet' },
    { path: '/papers/:paper', load: () => import('./views/paper'), roles: 'all', word: 'paper.title' },
    { path: '/verifications', load: () => import('./views/verifications'), roles: 'all', word: 'verifications.title', menu: 'fleet' },
    { path: '/cycles', load: () => import('./views/cycles'), roles: 'all', word: 'cycles.title', menu: 'money' },
    { path: '/cycles/:cycle', load: () => import('./views/cycle'), roles: 'all', word: 'cycles.cycle' },
    { path: '/edits', load: () => import('./views/edits'), roles: 'all', word: 'edits.title', menu: 'money' },
    { path: '/adjustments', load: () => import('./views/adjustments'), roles: 'all', word: 'adjustments.title', menu: 'money' },
    { path: '/figures', load: () => import('./views/month_figures'), roles: 'all', word: 'figures.title', menu: 'money' },
    { path: '/orders/:order', load: () => import('./views/order'), roles: 'all', word: 'order.title' },
    { path: '/users', load: () => import('./views/users'), roles: 'chief', word: 'users.title', menu: 'house' },
    { path: '/password', load: () => import('./views/password'), roles: 'all', word: 'password.title' },
];
