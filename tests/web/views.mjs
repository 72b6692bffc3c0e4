// Every view: its name, its link (a function where it depends on the town), who looks at it, and what shows that it is there.
export const views = [
    { name: 'sign_in', path: '/', ready: '.sign-in form' },
    { name: 'today_dispatch', path: '/', who: 'sue', ready: '.grid .rows .row' },
    { name: 'users', path: '/users', who: 'ada', ready: '.grid .rows .row' },
    { name: 'users_new', path: '/users', who: 'ada', ready: '.head-end .primary', act: (page) => page.locator('.head-end .primary').click() },
    { name: 'password', path: '/password', who: 'rui', ready: 'form' },
];
