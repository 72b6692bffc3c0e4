#include "server/options.h"

#include "proto/base/text.h"

#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row rows[] = {
#define OPTION(name, type, fallback, argument, help)                                               \
    { #name, fallback, argument, help, OPTION_##type },
#include "server/options.def"
#undef OPTION
};

static const size_t places[] = {
#define OPTION(name, type, fallback, argument, help) offsetof(struct options, name),
#include "server/options.def"
#undef OPTION
};

#define ROW_COUNT (sizeof rows / sizeof rows[0])
#define OPTION_NAME_MAX 40
#define HELP_LEFT 33
#define HELP_WIDTH 80

const struct option_row *option_at(unsigned n)
{
    return n < ROW_COUNT ? &rows[n] : NULL;
}

static struct option_value *value_at(struct options *o, size_t n)
{
    return (struct option_value *)((char *)o + places[n]);
}

/* Names stand in the table as C words; people write dashes, files may write either. */
static bool same_name(const char *word, const char *asked)
{
    for (; *word && *asked; word++, asked++)
        if (*word != *asked && !(*word == '_' && *asked == '-'))
            return false;
    return *word == *asked;
}

/* The name as people write it. */
static const char *written(size_t n, char out[OPTION_NAME_MAX])
{
    snprintf(out, OPTION_NAME_MAX, "%s", rows[n].name);
    for (char *c = out; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return out;
}

static enum err option_set(struct options *o, size_t n, const char *text, struct refusal *r)
{
    struct option_value *v = value_at(o, n);
    char name[OPTION_NAME_MAX];
    int64_t number;

    if (rows[n].type == OPTION_FLAG) {
        v->flag = !text ||
                  (strcmp(text, "no") != 0 && strcmp(text, "false") != 0 && strcmp(text, "0") != 0);
        v->count = 1;
        return ERR_OK;
    }
    if (rows[n].type == OPTION_INT) {
        if (text_int(span_text(text), &number) || number < 0 || number > 1000000000)
            return refuse(r, ERR_INVALID, 0, rows[n].name,
                          "--%s: expected a whole number from 0 to 1000000000, found %.60s",
                          written(n, name), text);
        v->number = (long)number;
        v->count = 1;
        return ERR_OK;
    }
    if (rows[n].type == OPTION_TEXT && v->count) {
        free(v->text[0]);
        v->count = 0;
    }
    if (v->count == OPTION_LIST_MAX)
        return refuse(r, ERR_INVALID, 0, rows[n].name, "--%s: at most %d are taken",
                      written(n, name), OPTION_LIST_MAX);
    if (!(v->text[v->count] = strdup(text)))
        return refuse(r, ERR_NO_MEMORY, 0, rows[n].name, "no memory");
    v->count++;
    return ERR_OK;
}

/* ---- the file ---- */

struct file {
    struct options *options, *from_line; /* what the command line gave is not overruled */
    struct refusal *refusal;
    enum err err;
};

static int file_line(void *arg, const char *section, const char *name, const char *text)
{
    struct file *f = (struct file *)arg;

    (void)section;
    if (f->err) /* the first fault is the one to tell */
        return 0;
    for (size_t n = 0; n < ROW_COUNT; n++) {
        if (!same_name(rows[n].name, name))
            continue;
        if (value_at(f->from_line, n)->count == 0)
            f->err = option_set(f->options, n, text, f->refusal);
        return f->err == ERR_OK;
    }
    f->err = refuse(f->refusal, ERR_INVALID, 0, "config", "%.60s: no such option; see nilod --help",
                    name);
    return 0;
}

static enum err file_read(struct options *o, struct refusal *r)
{
    struct options given = *o; /* counts as the command line left them */
    struct file f = { .options = o, .from_line = &given, .refusal = r };
    int line = ini_parse(o->config.text[0], file_line, &f);

    if (line == -1)
        return refuse(r, ERR_NOT_FOUND, 0, "config", "%.120s: cannot be read: %s",
                      o->config.text[0], strerror(errno));
    if (f.err) {
        struct refusal said = *r;

        return refuse(r, f.err, (uint32_t)line, said.field, "%.120s: line %d: %.120s",
                      o->config.text[0], line, said.text);
    }
    if (line)
        return refuse(r, ERR_INVALID, (uint32_t)line, "config",
                      "%.120s: line %d: expected NAME = VALUE", o->config.text[0], line);
    return ERR_OK;
}

/* ---- all together ---- */

static enum err fall_back(struct options *o, struct refusal *r)
{
    enum err err = ERR_OK;

    for (size_t n = 0; n < ROW_COUNT && !err; n++)
        if (value_at(o, n)->count == 0 && rows[n].fallback)
            err = option_set(o, n, rows[n].fallback, r);
    return err;
}

static enum err line_read(int argc, char **argv, struct options *o, struct refusal *r)
{
    struct option known[ROW_COUNT + 3] = { 0 };
    char names[ROW_COUNT][OPTION_NAME_MAX];
    enum err err = ERR_OK;
    int which, chosen;

    for (size_t n = 0; n < ROW_COUNT; n++) {
        known[n] = (struct option){ written(n, names[n]),
                                    rows[n].type == OPTION_FLAG ? no_argument : required_argument,
                                    NULL, 256 };
    }
    known[ROW_COUNT] = (struct option){ "help", no_argument, NULL, 'h' };
    known[ROW_COUNT + 1] = (struct option){ "version", no_argument, NULL, 'V' };
    opterr = 0;
    optind = 1;
    while (!err && (chosen = getopt_long(argc, argv, ":hV", known, &which)) != -1) {
        if (chosen == 'h')
            o->help = true;
        else if (chosen == 'V')
            o->version = true;
        else if (chosen == 256)
            err = option_set(o, (size_t)which, optarg, r);
        else
            err = refuse(r, ERR_INVALID, 0, "", "%.80s: %s", argv[optind - 1],
                         chosen == ':' ? "needs a value" : "no such option; see nilod --help");
    }
    if (!err && optind < argc)
        err = refuse(r, ERR_INVALID, 0, "", "%.80s: nothing is expected here; see nilod --help",
                     argv[optind]);
    return err;
}

enum err options_read(int argc, char **argv, struct options *out, struct refusal *r)
{
    enum err err;

    memset(out, 0, sizeof *out);
    if ((err = line_read(argc, argv, out, r)) || out->help || out->version)
        return err;
    if (out->config.count && (err = file_read(out, r)))
        return err;
    return fall_back(out, r);
}

void options_done(struct options *o)
{
    for (size_t n = 0; n < ROW_COUNT; n++) {
        struct option_value *v = value_at(o, n);

        if (rows[n].type == OPTION_TEXT || rows[n].type == OPTION_LIST)
            for (unsigned i = 0; i < v->count; i++)
                free(v->text[i]);
    }
    memset(o, 0, sizeof *o);
}

/* Words to the right of the names, in as many lines as they need. */
static void print_wrapped(FILE *to, const char *text)
{
    size_t column = HELP_LEFT;

    while (*text) {
        size_t word = strcspn(text, " ");

        if (column > HELP_LEFT && column + 1 + word > HELP_WIDTH) {
            fprintf(to, "\n%*s", HELP_LEFT, "");
            column = HELP_LEFT;
        }
        column += (size_t)fprintf(to, "%s%.*s", column > HELP_LEFT ? " " : "", (int)word, text);
        text += word + (text[word] == ' ');
    }
    fputc('\n', to);
}

void options_print_help(FILE *to)
{
    fputs(
        "Usage: nilod --store DIR [OPTION]...\n"
        "The server of Nilometer: takes meters' reads by CoAP, keeps, judges and serves them.\n\n",
        to);
    for (size_t n = 0; n < ROW_COUNT; n++) {
        char name[OPTION_NAME_MAX], head[80], text[320];

        snprintf(head, sizeof head, "--%s%s%s", written(n, name), rows[n].argument ? " " : "",
                 rows[n].argument ? rows[n].argument : "");
        snprintf(text, sizeof text, "%s%s%s%s", rows[n].help, rows[n].fallback ? " (default: " : "",
                 rows[n].fallback ? rows[n].fallback : "", rows[n].fallback ? ")" : "");
        fprintf(to, "  %-*s ", HELP_LEFT - 3, head);
        print_wrapped(to, text);
    }
    fputs("  --help                         this page\n"
          "  --version                      the version\n\n"
          "Prints `ready coap=ADDR:PORT coaps=ADDR:PORT http=ADDR:PORT` when it is.\n"
          "Exit status: 0 done, 1 the work failed, 2 wrong usage.\n",
          to);
}
