/* nilo: the table of subcommands, and nothing else. */
#include "storage/db.h"
#include "tools/nilo/commands.h"

static const struct command commands[] = {
#define COMMAND(id, words, arguments, help) { COMMAND_ID_##id, words, arguments, help, cmd_##id },
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
_Static_assert(COUNT(options) <= ARGS_OPTIONS_MAX, "every option has a place in struct args");

static void explain_more(const struct command *c)
{
    if (c->id == COMMAND_ID_import)
        import_explain_files();
}

int main(int argc, char **argv)
{
    const struct command_table table = { commands, options, COUNT(commands), COUNT(options),
                                         explain_more };

    db_standard_files();
    db_faults_install(); /* a damaged store is named, not died of */
    return args_main(&table, argc, argv);
}
