/* nilo user: who signs in with a name and a password. */
#include "tools/nilo/commands.h"
#include "tools/nilo/listing.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_ROOM 260 /* 256 bytes, the line's end and a zero */

int cmd_user_list(const struct args *a)
{
    return list_at(a, "/v1/users", "name role org enabled changed_at changed_by");
}

static bool line_of(FILE *f, char line[PASSWORD_ROOM])
{
    bool fine = fgets(line, PASSWORD_ROOM, f) && line[strcspn(line, "\r\n")];

    if (fine)
        line[strcspn(line, "\r\n")] = 0;
    return fine;
}

/* Asks at the terminal, which shows nothing of what is typed. */
static bool ask(const char *what, char line[PASSWORD_ROOM])
{
    struct termios shown, hidden;
    bool fine = !tcgetattr(STDIN_FILENO, &shown);

    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "%s: ", what);
    fine = fine && !tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) && line_of(stdin, line);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return fine;
}

/* From the file, else from the terminal twice, else the first line of standard input. False: said why. */
static bool password_of(const char *file, char line[PASSWORD_ROOM])
{
    char again[PASSWORD_ROOM] = "";
    bool typed = !file && isatty(STDIN_FILENO), fine;
    FILE *f = file && strcmp(file, "-") != 0 ? fopen(file, "re") : stdin;

    fine = typed ? ask("Password", line) && ask("The same again", again) : f && line_of(f, line);
    if (f && f != stdin)
        fclose(f);
    if (!fine)
        say("%s: no password of 1 to 256 bytes can be read from it",
            file ? file : "standard input");
    else if (typed && strcmp(line, again) != 0)
        say("these were two different passwords");
    fine = fine && (!typed || strcmp(line, again) == 0);
    explicit_bzero(again, sizeof again);
    return fine;
}

static bool put(json_t *body, const struct args *a, const char *name)
{
    const char *value = args_option(a, name);

    return !value || !json_object_set_new(body, name, json_string(value));
}

/* What both commands have; `body` is released where it is not sent. */
static int post_user(const struct args *a, const struct path *path, json_t *body,
                     bool with_password)
{
    char password[PASSWORD_ROOM] = "";
    bool fine = body && put(body, a, "role") && put(body, a, "org");

    if (!fine)
        say("expected texts in UTF-8");
    if (fine && with_password) {
        fine = password_of(args_option(a, "password-file"), password);
        if (fine && json_object_set_new(body, "password", json_string(password))) {
            say("the password is no UTF-8");
            fine = false;
        }
        explicit_bzero(password, sizeof password);
    }
    if (fine)
        return post_run(a, path, body);
    json_decref(body);
    return EXIT_USAGE;
}

int cmd_user_create(const struct args *a)
{
    struct path path = path_of("/v1/users");
    json_t *body = json_pack("{s:s}", "name", a->positional[0]);

    return post_user(a, &path, body, true);
}

int cmd_user_change(const struct args *a)
{
    bool enable = args_option(a, "enable"), disable = args_option(a, "disable");
    struct path path = path_of("/v1/users");
    json_t *body = json_object();

    path_part(&path, a->positional[0]);
    if (enable && disable) {
        say("--enable and --disable exclude each other");
        json_decref(body);
        return EXIT_USAGE;
    }
    if (body && (enable || disable))
        json_object_set_new(body, "enabled", json_boolean(enable));
    return post_user(a, &path, body, args_option(a, "password") || args_option(a, "password-file"));
}
