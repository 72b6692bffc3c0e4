/* Writes deploy/man/nilo.1 and nilod.1 from the very tables that the programs read: `man_pages
 * nilo.1`. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/nilo/columns.h"
#include "tools/nilo/commands.h"

/* Text where a leading dot or quote, a backslash or a dash would mean something to roff. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void put_sentence(const char *text, const char *more)
{
    static char first[2];

    first[0] = (char)(*text >= 'a' && *text <= 'z' ? *text - 32 : *text);
    put_text(first);
    put_text(text + 1);
    printf("%s.\n", more);
}

static void head(const char *title, const char *name, const char *what)
{
    printf(".\\\" Written by man_pages from the tables of options and commands; do not edit.\n"
           ".Dd November 26, 2026\n.Dt %s 1\n.Os Nilometer\n.Sh NAME\n.Nm %s\n.Nd %s\n",
           title, name, what);
}

static void exit_status(const char *failed)
{
    printf(
        ".Sh EXIT STATUS\n.Bl -tag -width 2n\n.It 0\nDone.\n.It 1\n%s\n.It 2\nWrong usage.\n.El\n",
        failed);
}

/* ---- nilod ---- */

struct row {
    const char *name, *fallback, *argument, *help;
};

static const struct row rows[] = {
#define OPTION(name, type, fallback, argument, help) { #name, fallback, argument, help },
#include "server/options.def"
#undef OPTION
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* With dashes, as people write it. */
static const char *dashed(const char *name)
{
    static char text[64];

    snprintf(text, sizeof text, "%s", name);
    for (char *at = text; *at; at++)
        if (*at == '_')
            *at = '-';
    return text;
}

static void nilod_option(const struct row *o)
{
    printf(".It Fl -%s", dashed(o->name));
    if (o->argument)
        printf(" Ar %s", o->argument);
    putchar('\n');
    put_sentence(o->help, "");
    if (o->fallback)
        printf("Default:\n.Li %s .\n", o->fallback);
}

static void nilod_page(void)
{
    head("NILOD", "nilod", "keeps and judges the reads of a city's water meters");
    puts(".Sh SYNOPSIS\n.Nm\n.Fl -store Ar DIR\n.Op Ar option ...\n.Sh DESCRIPTION\n"
         ".Nm\ntakes reports of water meters over CoAP, from brokers and platforms, keeps every "
         "one of them, and serves "
         "readings,\n"
         "consumption and flags over HTTP.\n"
         "A report is acknowledged when it would survive a power cut, and never before.\n"
         "The answer to a report brings the meter its commands; a meter that has a pre-shared key "
         "hears them over\n"
         "CoAP in DTLS alone, since anybody may write its name into a plain report.\n.Pp\n"
         "When it is ready it prints one line,\n"
         ".Dl ready coap=ADDR:PORT coaps=ADDR:PORT http=ADDR:PORT\n"
         "and tells\n.Xr systemd 1 .\n"
         "The first start writes an administrator's token to\n.Pa DIR/admin.token .\n"
         "SIGTERM ends it: it stops accepting, commits what it has, and exits with 0.\n"
         ".Sh OPTIONS\n.Bl -tag -width indent");
    for (size_t i = 0; i < COUNT(rows); i++)
        nilod_option(&rows[i]);
    puts(".It Fl -help\nPrint the options.\n.It Fl -version\nPrint the version.\n.El");
    puts(
        ".Sh FILES\n.Bl -tag -width indent\n.It Pa DIR/journal\nWhat came in, as it came.\n"
        ".It Pa DIR/archive.mdb\nSettled readings.\n.It Pa DIR/ledger.mdb\nWhat people and rules "
        "decided.\n"
        ".It Pa DIR/ledger.mdb-redo\nThe newest of it, until that file is synced; belongs to it.\n"
        ".It Pa DIR/views.mdb\nWhat follows from the three; may be deleted while\n.Nm\nis "
        "stopped.\n"
        ".It Pa DIR/journal/quarantine.mdb\nFrames that wait for a meter, a key or a recipe, and "
        "the newest that were refused.\n"
        ".It Pa DIR/store.key\nThe key under which the keys of meters are sealed, mode 0600, where "
        "none was given by\n.Fl -store-key-file\nor as a credential.\nWithout it no meter's key "
        "opens: keep a copy in a safe place.\n"
        ".It Pa DIR/admin.token\nThe first token, mode 0600.\n.El");
    exit_status("The work failed; a sentence on standard error says what, where, and what to do.");
    puts(".Sh SEE ALSO\n.Xr nilo 1");
}

static void nilod_conf(void)
{
    puts("# nilod --config FILE reads this. Every option of its command line may stand here under "
         "its long name;\n"
         "# what stands here is what holds without it. What is repeatable has a line for each "
         "value.");
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].name, "config") != 0)
            printf("\n# %s\n;%s = %s\n", rows[i].help, dashed(rows[i].name),
                   rows[i].fallback   ? rows[i].fallback
                   : rows[i].argument ? rows[i].argument
                                      : "yes");
}

/* ---- nilo ---- */

static const struct command commands[] = {
#define COMMAND(id, words, arguments, help) { COMMAND_ID_##id, words, arguments, help, NULL },
#define OPTION(id, name, argument, need, help)
#include "tools/nilo/commands.def"
#undef COMMAND
#undef OPTION
};

static const struct command_option options[] = {
#define MAY false
#define MUST true
#define COMMAND(id, words, arguments, help)
#define OPTION(id, name, argument, need, help) { COMMAND_ID_##id, name, argument, need, help },
#include "tools/nilo/commands.def"
    OPTIONS_OF_ALL
};

static void nilo_options(int command)
{
    bool begun = false;

    for (size_t i = 0; i < COUNT(options); i++) {
        const struct command_option *o = &options[i];

        if (o->command != command)
            continue;
        if (!begun)
            puts(".Bl -tag -width indent");
        begun = true;
        printf(".It Fl -%s", o->name);
        if (o->argument)
            printf(" Ar %s", o->argument);
        putchar('\n');
        put_sentence(o->help, o->must ? " (needed)" : "");
    }
    if (begun)
        puts(".El");
}

static void nilo_command(const struct command *c)
{
    char arguments[64], *save = NULL;

    printf(".Ss %s", c->words);
    snprintf(arguments, sizeof arguments, "%s", c->arguments);
    for (char *one = strtok_r(arguments, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
        putchar(' ');
        put_text(one);
    }
    putchar('\n');
    put_sentence(c->help, "");
    nilo_options(c->id);
}

static void nilo_files(void)
{
    puts(".Sh FILES\nWhat\n.Cm import\ntakes.");
    for (const char *c = FILE_COLUMNS_TOLD; *c; c++) /* each sentence begins a line */
        putchar(*c == ' ' && c[-1] == '.' ? '\n' : *c);
    putchar('\n');
    puts(".Bl -tag -width indent");
    for (size_t i = 0; i < COUNT(file_columns); i++) {
        const struct file_column *c = &file_columns[i];

        if (c->list)
            printf(".It %s\n", c->list);
        else
            printf("%s%s\n", c->name, c->must ? "*" : "");
    }
    puts(".El");
}

static void nilo_page(void)
{
    head("NILO", "nilo", "talks to nilod");
    puts(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar argument ...\n.Op Ar option ...\n.Sh "
         "DESCRIPTION\n.Nm\n"
         "brings registers and readings into\n.Xr nilod 1 ,\nlists what it knows and what it "
         "found, and keeps its "
         "stores.\n.Pp\nLists are tables on a terminal and NDJSON elsewhere.\n"
         "Times in tables are civil time of the server, those in JSON and CSV are UTC.\n"
         "Their last NDJSON line counts the rows; a list that was cut short ends with 1.\n"
         ".Sh OPTIONS OF ALL COMMANDS");
    nilo_options(COMMAND_ANY);
    puts(".Sh COMMANDS");
    for (size_t i = 0; i < COUNT(commands); i++)
        nilo_command(&commands[i]);
    puts(
        ".Sh ENVIRONMENT\n.Bl -tag -width indent\n.It Ev NILO_SERVER\nWhere nilod serves its API.\n"
        ".It Ev NILO_TOKEN_FILE\nFile with the token.\n.It Ev LC_ALL , LC_MESSAGES , LANG\n"
        "Tables have Chinese headings and texts where these begin with\n.Li zh .\n.El");
    nilo_files();
    exit_status("The work failed; a sentence on standard error says what, where, and what to do.");
    puts(".Sh EXAMPLES\nWhat nilo itself knows of a frame, without a server:\n"
         ".Bd -literal -offset indent\n$ nilo frame explain 0a024131\n.Ed\n.Pp\n"
         "A register and a year of readings:\n.Bd -literal -offset indent\n"
         "$ nilo import meters meters.csv\n$ nilo import points points.csv\n$ nilo import fittings "
         "fittings.csv\n"
         "$ nilo import readings readings.csv\n$ nilo settle\n.Ed\n.Pp\nWhat is wrong, and what to "
         "do about it:\n"
         ".Bd -literal -offset indent\n$ nilo flag list --state open\n$ nilo replacement list "
         "--limit 20\n.Ed");
    puts(".Sh SEE ALSO\n.Xr nilod 1");
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "nilo.1")) {
        nilo_page();
    } else if (argc == 2 && !strcmp(argv[1], "nilod.1")) {
        nilod_page();
    } else if (argc == 2 && !strcmp(argv[1], "nilod.conf")) {
        nilod_conf();
    } else {
        fputs("usage: man_pages nilo.1|nilod.1|nilod.conf\n", stderr);
        return 2;
    }
    return 0;
}
