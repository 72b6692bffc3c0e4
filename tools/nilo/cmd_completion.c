/* nilo completion, help: what the table of commands says, for shells and people. */
#include <stdio.h>
#include <string.h>

#include "tools/nilo/commands.h"

/* One case of the shell's: after these words, these may follow. */
static void print_case(const char *words, const char *follow)
{
    printf("    '%s') next='%s' ;;\n", words, follow);
}

static void print_options(const struct args *a, const struct command *c)
{
    char line[2048];
    size_t len = 0;

    for (unsigned i = 0; i < a->table->option_count; i++) {
        const struct command_option *o = &a->table->options[i];

        if (o->command == COMMAND_ANY || o->command == c->id)
            len +=
                (size_t)snprintf(line + len, sizeof line - len, "%s--%s", len ? " " : "", o->name);
    }
    print_case(c->words, line);
}

/* The second words of a group such as "meter", once for each first word. */
static void print_groups(const struct args *a)
{
    const struct command_table *t = a->table;

    for (unsigned i = 0; i < t->command_count; i++) {
        const char *words = t->commands[i].words;
        size_t first = strcspn(words, " ");

        if (!words[first] || (i && !strncmp(t->commands[i - 1].words, words, first + 1)))
            continue;
        printf("    '%.*s') next='", (int)first, words);
        for (unsigned j = i; j < t->command_count; j++)
            if (!strncmp(t->commands[j].words, words, first + 1))
                printf("%s%s", j == i ? "" : " ", t->commands[j].words + first + 1);
        puts("' ;;");
    }
}

static void print_first(const struct args *a)
{
    const struct command_table *t = a->table;

    printf("    '') next='");
    for (unsigned i = 0; i < t->command_count; i++) {
        const char *words = t->commands[i].words;
        size_t first = strcspn(words, " ");

        if (!i || strncmp(t->commands[i - 1].words, words, first) != 0 ||
            t->commands[i - 1].words[first] > ' ')
            printf("%s%.*s", i ? " " : "", (int)first, words);
    }
    puts("' ;;");
}

static const char bash_start[] = "# Completion of nilo for bash; made by: nilo completion bash\n"
                                 "_nilo_after() {\n"
                                 "  case \"$1\" in\n";
static const char bash_end[] =
    "  esac\n"
    "}\n"
    "_nilo() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} words=() next='' i\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    [[ ${COMP_WORDS[i]} == -* ]] || words+=(\"${COMP_WORDS[i]}\")\n"
    "  done\n"
    "  _nilo_after \"${words[*]:0:2}\"\n"
    "  [[ -n $next ]] || _nilo_after \"${words[*]:0:1}\"\n"
    "  COMPREPLY=($(compgen -W \"$next\" -- \"$cur\"))\n"
    "  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
    "}\n"
    "complete -o filenames -F _nilo nilo\n";

/* zsh runs bash's completions by bashcompinit, so there is one to keep right. */
static const char zsh_start[] = "#compdef nilo\n"
                                "# Completion of nilo for zsh; made by: nilo completion zsh\n"
                                "autoload -U +X bashcompinit && bashcompinit\n";

int cmd_completion(const struct args *a)
{
    const char *shell = a->positional[0];

    if (strcmp(shell, "bash") != 0 && strcmp(shell, "zsh") != 0) {
        say("expected bash or zsh, found '%s'", shell);
        return EXIT_USAGE;
    }
    if (!strcmp(shell, "zsh"))
        fputs(zsh_start, stdout);
    fputs(bash_start, stdout);
    print_first(a);
    print_groups(a);
    for (unsigned i = 0; i < a->table->command_count; i++)
        print_options(a, &a->table->commands[i]);
    fputs(bash_end, stdout);
    return EXIT_DONE;
}

int cmd_help(const struct args *a)
{
    char words[128] = "";
    bool group = false;

    for (unsigned i = 0; i < a->count; i++) {
        size_t len = strlen(words);

        snprintf(words + len, sizeof words - len, "%s%s", i ? " " : "", a->positional[i]);
    }
    for (unsigned i = 0; i < a->table->command_count; i++) {
        const struct command *c = &a->table->commands[i];
        size_t len = strlen(words);

        if (!strcmp(c->words, words)) {
            args_help(a->table, c);
            return EXIT_DONE;
        }
        if (len && !strncmp(c->words, words, len) && c->words[len] == ' ') {
            printf("  %-20s %s\n", c->words, c->help);
            group = true;
        }
    }
    if (group)
        return EXIT_DONE;
    if (a->count) {
        say("there is no command '%s'; nilo help lists them", words);
        return EXIT_USAGE;
    }
    args_help(a->table, NULL);
    return EXIT_DONE;
}
