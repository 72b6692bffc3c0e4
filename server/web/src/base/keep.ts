// What a device keeps for when there is no signal: a small IndexedDB. `kept` holds one value a name, gone when its person signs out; `acts` is the queue (queue.ts).
const NAME = 'nilometer', VERSION = 1;

let opened: Promise<IDBDatabase> | null = null;

function open(): Promise<IDBDatabase> {
    opened ??= new Promise((resolve, reject) => {
        const ask = indexedDB.open(NAME, VERSION);
        ask.onupgradeneeded = () => {
            ask.result.createObjectStore('kept');
            ask.result.createObjectStore('acts', { keyPath: 'id', autoIncrement: true });
        };
        ask.onsuccess = () => resolve(ask.result);
        ask.onerror = () => {
            opened = null;
            reject(ask.error);
        };
    });
    return opened;
}

/** Runs `work` in a transaction; resolved when that is on disk. */
async function within<T>(where: 'kept' | 'acts', mode: IDBTransactionMode, work: (s: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const db = await open();
    return new Promise((resolve, reject) => {
        const t = db.transaction(where, mode);
        const ask = work(t.objectStore(where));
        t.oncomplete = () => resolve(ask.result);
        t.onabort = t.onerror = () => reject(t.error ?? ask.error);
    });
}

export const keep = (name: string, value: unknown): Promise<unknown> => within('kept', 'readwrite', (s) => s.put(value, name));
export const kept = <T>(name: string): Promise<T | undefined> => within('kept', 'readonly', (s) => s.get(name) as IDBRequest<T | undefined>);
export const forget = (): Promise<unknown> => within('kept', 'readwrite', (s) => s.clear());

export const putAct = (act: object): Promise<IDBValidKey> => within('acts', 'readwrite', (s) => s.put(act));
export const dropAct = (id: number): Promise<unknown> => within('acts', 'readwrite', (s) => s.delete(id));
export const allActs = <T>(): Promise<T[]> => within('acts', 'readonly', (s) => s.getAll() as IDBRequest<T[]>);
