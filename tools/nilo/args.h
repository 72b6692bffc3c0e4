/* The command line: which command, its arguments and options, as commands.def says.
 *
 * Exit codes of nilo: 0 done; 1 the work failed, and a sentence on standard error says what, where
 * and what to do; 2 wrong usage. */
#ifndef NILO_TOOLS_NILO_ARGS_H
#define NILO_TOOLS_NILO_ARGS_H

#include "proto/base/err.h"

#include <stdbool.h>

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define ARGS_POSITIONAL_MAX 8
#define ARGS_OPTIONS_MAX 640 /* of all commands; main.c asserts that they fit */

struct args;

struct command {
    int id;
    const char *words, *arguments, *help;
    int (*run)(const struct args *a);
};

struct command_option {
    int command;                 /* COMMAND_ANY: every command takes it */
    const char *name, *argument; /* no argument: a flag */
    bool must;
    const char *help;
};
#define COMMAND_ANY (-1)

struct command_table {
    const struct command *commands;
    const struct command_option *options;
    unsigned command_count, option_count;
    void (*explain_more)(
        const struct command *c); /* at the end of a command's --help; may be NULL */
};

/* Options that every command takes, for a table of options: OPTION lines with the id ANY. */
#define OPTIONS_OF_ALL                                                                             \
    OPTION(ANY, "server", "URL", MAY,                                                              \
           "where nilod serves its API; default $NILO_SERVER, else http://127.0.0.1:8080")         \
    OPTION(ANY, "token-file", "FILE", MAY, "file with the token; default $NILO_TOKEN_FILE")        \
    OPTION(ANY, "ca-file", "FILE", MAY,                                                            \
           "certificates to trust for https, PEM; default the system's")                           \
    OPTION(ANY, "format", "FORMAT", MAY,                                                           \
           "table, json, ndjson or csv, of a list also xlsx; a table on a terminal, else ndjson")                       \
    OPTION(ANY, "show", "COLUMNS", MAY, "these columns alone, comma-separated, in a table or CSV") \
    OPTION(ANY, "help", NULL, MAY, "explain the command")                                          \
    OPTION(ANY, "version", NULL, MAY, "print the version")

struct args {
    const struct command_table *table;
    const struct command *command;
    const char *positional[ARGS_POSITIONAL_MAX];
    unsigned count;
    const char *value[ARGS_OPTIONS_MAX]; /* by place in the table; a flag's is "" */
};

/* Reads argv. EXIT_DONE: run a->command (NULL: only --help or --version was asked for). EXIT_USAGE:
 * said why. */
int args_read(const struct command_table *table, int argc, char **argv, struct args *out);

/* The whole program: reads, runs, and checks that standard output took everything. */
int args_main(const struct command_table *table, int argc, char **argv);

/* The value of an option that the command has; NULL where it was not given. A flag's is "". */
const char *args_option(const struct args *a, const char *name);

/* A whole number option between least and most; `otherwise` where it was not given. False: said
 * why. */
bool args_number(const struct args *a, const char *name, int64_t least, int64_t most,
                 int64_t otherwise, int64_t *out);

/* How many arguments "METER [FILE] NAME..." asks for. */
void args_expected(const char *arguments, unsigned *out_least, unsigned *out_most);

void args_help(const struct command_table *table,
               const struct command *c); /* NULL: all commands; to standard output */

/* On standard output: `left`, and beside it `text` in as many lines as it needs. */
void args_print_beside(const char *left, int indent, const char *text);

/* "nilo: " and a sentence on standard error, with what could move a terminal's cursor made '?'. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);
void say_of_file(const char *format, ...) PRINTF_LIKE(1, 2); /* the same without "nilo: ": it begins with the file's name */

#endif
