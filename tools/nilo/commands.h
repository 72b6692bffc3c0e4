/* The functions behind commands.def. */
#ifndef NILO_TOOLS_NILO_COMMANDS_H
#define NILO_TOOLS_NILO_COMMANDS_H

#include "tools/nilo/args.h"

enum command_id {
    COMMAND_ID_ANY = COMMAND_ANY,
#define COMMAND(id, words, arguments, help) COMMAND_ID_##id,
#define OPTION(id, name, argument, need, help)
#include "tools/nilo/commands.def"
#undef COMMAND
#undef OPTION
    COMMAND_ID_COUNT
};

#define COMMAND(id, words, arguments, help) int cmd_##id(const struct args *a);
#define OPTION(id, name, argument, need, help)
#include "tools/nilo/commands.def"
#undef COMMAND
#undef OPTION

/* The lists that an export consists of, in the order in which they are imported; NULL-ended. */
extern const char *const fleet_files[];
/* An export's files are those that its MANIFEST tells. False: said why. */
bool export_is_whole(const char *dir);

/* The columns of the files that import takes, on standard output. */
void import_explain_files(void);

#endif
