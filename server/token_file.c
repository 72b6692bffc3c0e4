#include "server/token_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static enum err write_all(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    enum err err = ERR_OK;

    if (fd < 0)
        return ERR_IO;
    if (write(fd, text, len) != (ssize_t)len || write(fd, "\n", 1) != 1 || fsync(fd))
        err = ERR_IO;
    close(fd);
    return err;
}

static enum err token_make(struct app *app, const char *next)
{
    struct act act =
        act_begin(app->ledger, "nilod", clock_now_s(&app->clock), journal_end(app->journal));
    char token[48] = "";
    enum err err;

    act_token_create(&act, ROLE_ADMIN, "admin", "", INT64_MAX, token);
    if ((err = act.txn.err) || (err = write_all(next, token))) {
        act_abort(&act);
        return err;
    }
    return act_end(&act);
}

enum err token_file_make(struct app *app, struct refusal *r)
{
    struct txn t = ledger_read(app->ledger);
    bool first = ledger_end(&t) == 0;
    char path[sizeof app->store + 16], next[sizeof path + 8];
    enum err err = txn_end(&t);

    snprintf(path, sizeof path, "%s/admin.token", app->store);
    snprintf(next, sizeof next, "%s.new", path);
    if (!err && first)
        err = token_make(app, next);
    /* An earlier start may have got as far as the ledger. */
    if (!err && access(next, F_OK) == 0 && rename(next, path))
        err = ERR_IO;
    return err ? refuse(r, err, 0, "", "%.200s: %s", path, err_text(err)) : ERR_OK;
}
