/* Faults inside a map: the file was shortened under us, or the disk has a bad place.  Nothing can
 * be served from there, so the process ends with a sentence that names the file.  The handler may
 * only use what is safe in a signal: a table of atomics. */
#include "storage/db_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define PLACES 1024 /* files open at once: segments are closed again, so a dozen is usual */

static struct {
    _Atomic(struct db *) db; /* NULL: free */
    _Atomic(uintptr_t) map;  /* 0: not known yet */
    atomic_size_t bytes;
} places[PLACES];

_Thread_local struct db *db_at_work;

static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before_bus, before_segv;

bool db_fault_add(struct db *db)
{
    int free_place = -1;
    bool known = false;

    pthread_mutex_lock(&places_lock);
    for (int i = 0; i < PLACES && !known; i++) {
        struct db *other = atomic_load(&places[i].db);

        if (!other && free_place < 0)
            free_place = i;
        known = other && other->device == db->device && other->inode == db->inode;
    }
    if (!known && free_place >= 0)
        atomic_store(&places[free_place].db, db);
    pthread_mutex_unlock(&places_lock);
    return !known && free_place >= 0;
}

static int place_of(const struct db *db)
{
    for (int i = 0; i < PLACES; i++) {
        if (atomic_load(&places[i].db) == db)
            return i;
    }
    return -1;
}

void db_fault_place(struct db *db)
{
    int i = place_of(db);

    if (i < 0)
        return;
    atomic_store(&places[i].map, 0);
    atomic_store(&places[i].bytes, db->map_bytes);
    atomic_store(&places[i].map, (uintptr_t)db->map);
}

void db_fault_remove(struct db *db)
{
    int i = place_of(db);

    if (i < 0)
        return;
    atomic_store(&places[i].map, 0);
    pthread_mutex_lock(&places_lock); /* somebody may be comparing itself with us */
    atomic_store(&places[i].db, NULL);
    pthread_mutex_unlock(&places_lock);
}

static struct db *at_address(uintptr_t address)
{
    for (int i = 0; i < PLACES; i++) {
        uintptr_t map = atomic_load(&places[i].map);

        if (map && address >= map && address - map < atomic_load(&places[i].bytes))
            return atomic_load(&places[i].db);
    }
    return NULL;
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written; /* there is nobody left to tell */
}

static void end(const struct db *db, const char *what)
{
    say(program_invocation_short_name);
    say(": ");
    say(db->path);
    say(what);
    say("; run 'nilo store check', restore from a backup\n");
    _exit(1);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    struct db *db = at_address((uintptr_t)info->si_addr);

    (void)context;
    if (db)
        end(db, ": cannot be read (the file is shorter than it was, or the disk has a bad place "
                "there)");
    if (db_at_work)
        end(db_at_work, ": cannot be read (its pages are damaged)");
    /* Not ours: the fault comes again as soon as we return, and is dealt with as if we had never
     * been here. */
    sigaction(signal, signal == SIGBUS ? &before_bus : &before_segv, NULL);
}

void db_standard_files(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

void db_faults_install(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before_bus);
    sigaction(SIGSEGV, &action, &before_segv);
}
