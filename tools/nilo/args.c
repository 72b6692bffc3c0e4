#include "tools/nilo/args.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/text.h"

static void say_list(const char *before, const char *format, va_list list)
{
    char *text = NULL;

    fflush(stdout);
    if (vasprintf(&text, format, list) < 0)
        return;
    for (char *c = text; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\n') || *c == 127)
            *c = '?'; /* what a file or a server says must not move the cursor */
    fprintf(stderr, "%s%s\n", before, text);
    free(text);
}

void say(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say_list("nilo: ", format, list);
    va_end(list);
}

void say_of_file(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    say_list("", format, list);
    va_end(list);
}

/* ---- what the table says ---- */

static bool takes(const struct command_option *o, const struct command *c)
{
    return o->command == COMMAND_ANY || (c && o->command == c->id);
}

/* The place of an option that `c` takes (only those of all commands where it is NULL); −1 if there
 * is none. */
static int option_place(const struct command_table *t, const struct command *c, const char *name,
                        size_t len)
{
    for (unsigned i = 0; i < t->option_count; i++) {
        const struct command_option *o = &t->options[i];

        if (takes(o, c) && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return (int)i;
    }
    return -1;
}

const char *args_option(const struct args *a, const char *name)
{
    int place = option_place(a->table, a->command, name, strlen(name));

    assert(place >= 0);
    return a->value[place];
}

bool args_number(const struct args *a, const char *name, int64_t least, int64_t most,
                 int64_t otherwise, int64_t *out)
{
    const char *text = args_option(a, name);
    int64_t number = otherwise;

    if (text && (text_int(span_text(text), &number) || number < least || number > most)) {
        say("--%s: expected a whole number from %lld to %lld, found '%s'", name, (long long)least,
            (long long)most, text);
        return false;
    }
    *out = number;
    return true;
}

void args_expected(const char *arguments, unsigned *out_least, unsigned *out_most)
{
    unsigned least = 0, most = 0;

    for (const char *at = arguments; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        bool optional = *at == '[', repeats = memmem(at, len, "...", 3) != NULL;

        least += !optional;
        most = repeats ? ARGS_POSITIONAL_MAX : most + 1;
        at += len;
    }
    *out_least = least;
    *out_most = most;
}

/* ---- --help ---- */

#define HELP_WIDTH 80

/* Words from `column` on; lines after the first begin at `indent`. */
static void print_words(const char *text, int column, int indent)
{
    int start = column;

    while (*text) {
        int word = (int)strcspn(text, " ");

        if (column > start && column + 1 + word > HELP_WIDTH)
            column = printf("\n%*s", indent, "") - 1;
        else if (column > start)
            column += printf(" ");
        column += printf("%.*s", word, text);
        start = indent;
        text += word + (text[word] == ' ');
    }
    putchar('\n');
}

void args_print_beside(const char *left, int indent, const char *text)
{
    int more = 0; /* bytes than columns: "KIND,…" */

    for (const char *at = left; *at; at++)
        more += (*at & 0xc0) == 0x80;
    print_words(text, printf("  %-*s ", indent - 3 + more, left) - more, indent);
}

static void help_option(const struct command_option *o)
{
    char left[64], text[400];

    snprintf(left, sizeof left, "--%s%s%s", o->name, o->argument ? " " : "",
             o->argument ? o->argument : "");
    snprintf(text, sizeof text, "%s%s", o->help, o->must ? " (needed)" : "");
    args_print_beside(left, 27, text);
}

/* What a command needs; what it may have stands below. */
static void help_usage(const struct command_table *t, const struct command *c)
{
    bool may = false;

    printf("usage: nilo %s%s%s", c->words, *c->arguments ? " " : "", c->arguments);
    for (unsigned i = 0; i < t->option_count; i++) {
        const struct command_option *o = &t->options[i];

        if (o->command == c->id && o->must)
            printf(" --%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        may |= o->command == c->id && !o->must;
    }
    puts(may ? " [--OPTION...]\n" : "\n");
    print_words(c->help, 0, 0);
    putchar('\n');
}

static void help_common(const struct command_table *t)
{
    const char *before = "\nAnd those of all commands, which nilo help explains:\n  ";

    for (unsigned i = 0; i < t->option_count; i++)
        if (t->options[i].command == COMMAND_ANY) {
            printf("%s--%s", before, t->options[i].name);
            before = ", ";
        }
    if (*before == ',')
        putchar('\n');
}

void args_help(const struct command_table *t, const struct command *c)
{
    if (c) {
        help_usage(t, c);
    } else {
        printf("usage: nilo COMMAND [ARGUMENT...] [--OPTION...]\n\n");
        for (unsigned i = 0; i < t->command_count; i++)
            args_print_beside(t->commands[i].words, 23, t->commands[i].help);
        printf("\nnilo help COMMAND explains one. Options of all commands:\n");
    }
    for (unsigned i = 0; i < t->option_count; i++)
        if (t->options[i].command == (c ? c->id : COMMAND_ANY))
            help_option(&t->options[i]);
    if (c)
        help_common(t);
    if (c && t->explain_more)
        t->explain_more(c);
}

/* ---- reading argv ---- */

struct reader {
    const struct command_table *table;
    int argc, at;
    char **argv;
    bool only_words; /* after -- */
};

static int read_option(struct reader *r, struct args *a)
{
    const char *word = r->argv[r->at++], *name = word + 2;
    size_t len = strcspn(name, "=");
    int place = option_place(r->table, a->command, name, len);
    const struct command_option *o;

    if (place < 0) {
        say("%s%s%s takes no option %.*s; see nilo help%s%s",
            a->command ? "'" : "nilo without a command", a->command ? a->command->words : "",
            a->command ? "'" : "", (int)len + 2, word, a->command ? " " : "",
            a->command ? a->command->words : "");
        return EXIT_USAGE;
    }
    o = &r->table->options[place];
    if (!o->argument && name[len]) {
        say("--%s takes no value", o->name);
        return EXIT_USAGE;
    }
    if (o->argument && !name[len] && r->at == r->argc) {
        say("--%s needs a value: %s, %s", o->name, o->argument, o->help);
        return EXIT_USAGE;
    }
    a->value[place] = !o->argument ? "" : name[len] ? name + len + 1 : r->argv[r->at++];
    return EXIT_DONE;
}

/* Does `word` stand first in the words of some command? */
static bool begins_command(const struct command_table *t, const char *word)
{
    size_t len = strlen(word);

    for (unsigned i = 0; i < t->command_count; i++)
        if (!strncmp(t->commands[i].words, word, len) && t->commands[i].words[len] == ' ')
            return true;
    return false;
}

static const struct command *find_command(const struct command_table *t, const char *words)
{
    for (unsigned i = 0; i < t->command_count; i++)
        if (!strcmp(t->commands[i].words, words))
            return &t->commands[i];
    return NULL;
}

static int read_word(struct reader *r, struct args *a, char words[64])
{
    const char *word = r->argv[r->at++];
    size_t used = strlen(words);

    if (a->command) {
        unsigned least, most;

        args_expected(a->command->arguments, &least, &most);
        if (a->count == most || a->count == ARGS_POSITIONAL_MAX) {
            say("'%s' is one argument too many; see nilo help %s", word, a->command->words);
            return EXIT_USAGE;
        }
        if (!*word) { /* in a path it would ask for something else: all of a list */
            say("'%s' takes no empty argument; see nilo help %s", a->command->words,
                a->command->words);
            return EXIT_USAGE;
        }
        a->positional[a->count++] = word;
        return EXIT_DONE;
    }
    snprintf(words + used, 64 - used, "%s%s", used ? " " : "", word);
    a->command = find_command(r->table, words);
    if (a->command || (!used && begins_command(r->table, word)))
        return EXIT_DONE;
    words[used] = 0;
    say("there is no command '%s%s%s'; nilo help%s%s lists them", words, used ? " " : "", word,
        used ? " " : "", words);
    return EXIT_USAGE;
}

static int check_complete(const struct args *a, const char *words)
{
    unsigned least, most;

    if (!a->command) {
        if (*words)
            say("'%s' is not a whole command; nilo help %s lists what may follow", words, words);
        else
            say("no command was given; nilo help lists them");
        return EXIT_USAGE;
    }
    args_expected(a->command->arguments, &least, &most);
    if (a->count < least) {
        say("'%s' needs %s; see nilo help %s", a->command->words, a->command->arguments,
            a->command->words);
        return EXIT_USAGE;
    }
    for (unsigned i = 0; i < a->table->option_count; i++) {
        const struct command_option *o = &a->table->options[i];

        if (o->command == a->command->id && o->must && !a->value[i]) {
            say("'%s' needs --%s %s, %s", a->command->words, o->name, o->argument, o->help);
            return EXIT_USAGE;
        }
    }
    return EXIT_DONE;
}

int args_read(const struct command_table *table, int argc, char **argv, struct args *out)
{
    struct reader r = { table, argc, 1, argv, false };
    char words[64] = "";
    int code = EXIT_DONE;

    *out = (struct args){ .table = table };
    while (r.at < argc && !code) {
        const char *word = argv[r.at];

        if (r.only_words || word[0] != '-' || !word[1]) {
            code = read_word(&r, out, words);
        } else if (!strcmp(word, "--")) {
            r.only_words = true;
            r.at++;
        } else if (word[1] == '-') {
            code = read_option(&r, out);
        } else if (!strcmp(word, "-h")) {
            out->value[option_place(table, NULL, "help", 4)] = "";
            r.at++;
        } else {
            say("'%s' is no option; options are written --like-this", word);
            code = EXIT_USAGE;
        }
    }
    if (code || args_option(out, "help") || args_option(out, "version"))
        return code;
    return check_complete(out, words);
}

int args_main(const struct command_table *table, int argc, char **argv)
{
    struct args a;
    int code = args_read(table, argc, argv, &a);

    if (code)
        return code;
    assert(a.command || args_option(&a, "version") || args_option(&a, "help"));
    if (args_option(&a, "version"))
        printf("nilo %s\n", NILO_VERSION);
    else if (args_option(&a, "help"))
        args_help(table, a.command);
    else
        code = a.command->run(&a);
    if ((fflush(stdout) || ferror(stdout)) && !code) {
        say("standard output could not be written: %m");
        code = EXIT_FAILED;
    }
    return code;
}
