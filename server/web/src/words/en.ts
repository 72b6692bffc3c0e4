// English. A section a view, in the alphabet's order but for what all share; a key that is missing in another language fails the build.
export const en = {
    base: {
        loading: 'Loading…', failed: 'This did not work.', not_allowed: 'Your role does not open this.', not_found: 'There is no such thing.', again: 'Try again',
        stale: 'What you see may be old.', refused: 'The server refused with {status}.', lost: 'No answer from the server: the line may be down.',
        lost_again: 'Send it again: it will not count twice.', sending: 'Sending…', cancel: 'Cancel', save: 'Save', close: 'Close', menu: 'Menu', skip: 'Skip to the content',
        theme: 'Colours', theme_auto: 'As the system', theme_light: 'Light', theme_dark: 'Dark', live: 'Live', no_view: 'No such page', home: 'To today’s page',
        export_as: 'Download the list as {form}', seconds: '{n} s', minutes: '{n} min', hours: '{n} h', days: '{n} {n?day:days}', ago: '{span} ago', ahead: 'in {span}',
    },
    menu: { work: 'Work', fleet: 'Meters', money: 'Billing', house: 'House' },
    role: { admin: 'Administrator', supervisor: 'Dispatcher', reader: 'Reader', billing: 'Billing clerk', store: 'Store keeper', crew: 'Crew', viewer: 'Viewer' },
    kind: {
        stuck: 'Stuck', unmoved: 'Never moved', reversed: 'Reversed', leak: 'Leak', burst: 'Burst', slow: 'Runs slow', fast: 'Runs fast', backflow: 'Back flow', selfturn: 'Turns by itself',
        silent: 'Silent', outage: 'Radio outage', dry: 'Zone without water', battery: 'Battery', clock: 'Clock wrong', tamper: 'Tampered', overdue: 'Verification overdue', oversize: 'Too large',
        undersize: 'Too small', swapped: 'Swapped', balance: 'Does not add up', 'out-of-step': 'Dial and radio differ', house: 'House does not add up', valve: 'Valve',
    },
    severity: { urgent: 'Urgent', high: 'High', medium: 'Medium', low: 'Low' },
    table: {
        filter: 'Filter: {name}', filter_hint: 'Filter ( / )', rows: '{n} {n?row:rows}', some: '{n} of {all} rows', more: '– there are more on the server', none_found: 'No row fits the filter.',
        mark: 'Mark the row', mark_all: 'Mark all rows',
    },
    chart: { time: 'Time', tools: 'Zoom', in: 'Closer', out: 'Farther', earlier: 'Earlier', later: 'Later', all: 'All' },
    password: {
        title: 'Change password', about: 'All your sessions end, on all devices; then you sign in with the new password.', old: 'Password now', new: 'New password', repeat: 'New password again',
        hint: '8 to 256 characters, not your name, not one character again and again.', differ: 'The two new passwords differ.', send: 'Change password',
    },
    signin: {
        title: 'Sign in', about: 'Sign in to read, bill and look after the city’s water meters.', name: 'Name', password: 'Password', send: 'Sign in', out: 'Sign out',
        wrong: 'Name and password do not fit.', wait: 'Too many passwords did not fit. Try again in {n} s.',
    },
    today: {
        title: 'Today', open_flags: 'Open flags', no_flags: 'Nothing is flagged. All meters behave.', kind: 'Kind', severity: 'Severity', point: 'Point', serial: 'Meter', lost: 'Lost, m³/day', raised: 'Told', text: 'What it says',
    },
    users: {
        title: 'People', new: 'New person', create: 'Create', change: 'Change {name}', name: 'Name', role: 'Role', org: 'Unit', org_hint: 'Empty: all units.', all_units: 'all', password: 'Password',
        password_new: 'New password', password_ends: 'Only if it is to change. It ends the person’s sessions.', enabled: 'May sign in', state: 'State', may: 'May sign in', shut_out: 'Shut out',
        changed: 'Changed', by: 'By', none: 'Nobody may sign in yet but by tokens.',
    },
};
