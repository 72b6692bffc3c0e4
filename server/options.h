/* nilod's options: from the command line, then from --config for what the command line left open, then defaults.
 * options.def is the table that the parser, --help, the man page and deploy/nilod.conf follow. */
#ifndef NILO_SERVER_OPTIONS_H
#define NILO_SERVER_OPTIONS_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stdio.h>

#define OPTION_LIST_MAX 16

enum option_type { OPTION_TEXT, OPTION_LIST, OPTION_FLAG, OPTION_INT };

struct option_value {
    char *text[OPTION_LIST_MAX];
    unsigned count;
    bool flag;
    long number;
};

struct options {
#define OPTION(name, type, fallback, argument, help) struct option_value name;
#include "server/options.def"
#undef OPTION
    bool help, version;
};

/* INVALID with a sentence in `r`. Free with options_done, also after an error. */
MUST_CHECK enum err options_read(int argc, char **argv, struct options *out, struct refusal *r);
void options_done(struct options *o);
void options_print_help(FILE *to);

/* The table, for those who write it down: name with dashes; NULL at its end. */
struct option_row {
    const char *name, *fallback, *argument, *help;
    enum option_type type;
};
const struct option_row *option_at(unsigned n);

#endif
