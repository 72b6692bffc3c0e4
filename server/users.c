#include "server/users.h"

#include "storage/journal.h"

#include <stdio.h>

#define HOUR_S 3600

static struct act begin(struct app *app, const char *who)
{
    return act_begin(app->ledger, who, clock_now_s(&app->clock), journal_end(app->journal));
}

/* What a password is held against, copied out of the transaction. *out_known: there is such a person. */
static enum err hash_of(struct app *app, struct span name, struct password_hash *out,
                        bool *out_known)
{
    struct txn t = ledger_read(app->ledger);
    struct ledger_user u;

    if ((*out_known = !t.err && ledger_user(&t, name, &u)))
        *out = u.password;
    return txn_end(&t);
}

static enum err check(struct app *app, struct span name, struct span password,
                      struct password_hash *out)
{
    bool known, fits = false;
    enum err err = hash_of(app, name, out, &known);

    if (!err)
        err = password_fits(password, known ? out : NULL, &fits);
    return err ? err : fits ? ERR_OK : ERR_UNAUTHORIZED;
}

/* The person as it stands now: it may have changed while the password was reckoned. */
static bool same_person(struct act *a, struct span name, const struct password_hash *checked,
                        struct ledger_user *out)
{
    return ledger_user(&a->txn, name, out) && out->enabled &&
           memcmp(out->password.hash, checked->hash, sizeof checked->hash) == 0;
}

enum err users_sign_in(struct app *app, struct span name, struct span password,
                       struct signed_in *out)
{
    char who[USER_NAME_MAX + 1];
    struct password_hash checked;
    struct ledger_user u;
    struct act act;
    enum err err;

    if (!name.len || name.len > USER_NAME_MAX || password.len > PASSWORD_MOST)
        name.len = 0; /* nobody is called so: it takes as long all the same */
    if ((err = check(app, name, password, &checked)))
        return err;
    snprintf(who, sizeof who, "%.*s", (int)name.len, (const char *)name.at);
    act = begin(app, who);
    if (!same_person(&act, name, &checked, &u)) {
        err = act.txn.err ? act.txn.err : ERR_UNAUTHORIZED;
        act_abort(&act);
        return err;
    }
    *out = (struct signed_in){ .facts = { .role = u.role,
                                          .created_s = act.now_s,
                                          .expires_s = act.now_s + app->session_hours * HOUR_S } };
    memcpy(out->facts.name, who, sizeof who);
    if (u.org.len)
        memcpy(out->facts.org, u.org.at, u.org.len);
    act_begin_session(&act, &u, out->facts.expires_s, out->secret);
    act_note(&act, "session.begin", span_text(who), span_of(NULL, 0), span_of(NULL, 0),
             span_of(NULL, 0));
    if ((err = act_end(&act)))
        explicit_bzero(out, sizeof *out);
    return err;
}

enum err users_sign_out(struct app *app, const char *who, struct span secret)
{
    struct act act = begin(app, who);

    if (!act_end_session(&act, secret)) {
        enum err err = act.txn.err;

        act_abort(&act);
        return err;
    }
    act_note(&act, "session.end", span_text(who), span_of(NULL, 0), span_of(NULL, 0),
             span_of(NULL, 0));
    return act_end(&act);
}

enum err users_password_may_be(struct span name, struct span password, const char *field,
                               struct refusal *r)
{
    bool varied = false;

    if (password.len < PASSWORD_LEAST || password.len > PASSWORD_MOST)
        return refuse(r, ERR_INVALID, 0, field, "%s: expected %d to %d bytes", field,
                      PASSWORD_LEAST, PASSWORD_MOST);
    for (size_t i = 1; i < password.len; i++)
        varied = varied || password.at[i] != password.at[0];
    if (!varied || span_equal(password, name))
        return refuse(r, ERR_INVALID, 0, field,
                      "%s: found one that is guessed first, expected neither the name nor one "
                      "character again and again",
                      field);
    return ERR_OK;
}

enum err users_change_password(struct app *app, struct span name, struct span old,
                               struct span fresh, struct refusal *r)
{
    char who[USER_NAME_MAX + 1], org[USER_NAME_MAX + 1];
    struct password_hash checked, hash;
    struct ledger_user u;
    struct act act;
    enum err err;

    if ((err = users_password_may_be(name, fresh, "new", r)))
        return err;
    if ((err = check(app, name, old, &checked)))
        return refuse(r, err, 0, "old",
                      err == ERR_UNAUTHORIZED ? "old: this is not the password"
                                              : "the password could not be looked at");
    if ((err = password_hash(fresh, &hash)))
        return refuse(r, err, 0, "new", "the password could not be reckoned");
    snprintf(who, sizeof who, "%.*s", (int)name.len, (const char *)name.at);
    act = begin(app, who);
    if (!same_person(&act, name, &checked, &u)) {
        err = act.txn.err ? act.txn.err : ERR_CONFLICT;
        act_abort(&act);
        return refuse(r, err, 0, "", "somebody changed this person meanwhile");
    }
    snprintf(org, sizeof org, "%.*s", (int)u.org.len,
             u.org.len ? (const char *)u.org.at : ""); /* a view of what changes */
    u.org = span_text(org);
    u.who = span_text(who);
    u.password = hash;
    u.changed_s = act.now_s;
    u.turn++;
    act_put_user(&act, &u);
    act_note(&act, "user.password", name, span_of(NULL, 0), span_of(NULL, 0), span_of(NULL, 0));
    err = act_end(&act);
    return err ? refuse(r, err, 0, "", "the password could not be kept") : ERR_OK;
}
