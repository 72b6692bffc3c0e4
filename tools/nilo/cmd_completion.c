/* nilo completion, help: what the table of commands says, for shells and people. */
#include <stdio.h>
#include <string.h>

#include "tools/nilo/columns.h"
#include "tools/nilo/commands.h"

/* What may be left out completes like what must be there. */
static void print_bare(const char *arguments)
{
    for (; *arguments; arguments++)
        if (*arguments != '[' && *arguments != ']')
            putchar(*arguments);
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
    printf("    '%s') next='%s' takes='", c->words, line);
    print_bare(c->arguments);
    puts("' ;;");
}

static bool has_argument(const struct args *a, unsigned option)
{
    const struct command_option *o = &a->table->options[option];

    for (unsigned i = 0; o->argument && i < option; i++)
        if (!strcmp(a->table->options[i].name, o->name))
            return false; /* told already */
    return o->argument;
}

/* What an option's argument is: what FORMAT, FILE and so on stand for, the shell knows. */
static void print_arguments(const struct args *a)
{
    puts("_nilo_argument() {\n  case \"$1\" in");
    for (unsigned i = 0; i < a->table->option_count; i++)
        if (has_argument(a, i))
            printf("    --%s) takes='%s' ;;\n", a->table->options[i].name,
                   a->table->options[i].argument);
    puts("    *) return 1 ;;\n  esac\n}");
}

static void print_values(void)
{
    puts("_nilo_values() {\n  case \"$1\" in");
    printf("    LIST) next='");
    for (size_t i = 0; i < sizeof file_columns / sizeof file_columns[0]; i++)
        if (file_columns[i].list)
            printf("%s%s", i ? " " : "", file_columns[i].list);
    puts("' ;;\n"
         "    FORMAT) next='table json ndjson csv xlsx' ;;\n"
         "    SHELL) next='bash zsh' ;;\n"
         "    ROLE) next='admin supervisor reader billing store crew viewer ingest' ;;\n"
         "    CHANNEL) next='forward reverse net pressure temperature' ;;\n"
         "    STEP) next='hour day month' ;;\n"
         "    *) next='' ;;\n"
         "  esac\n}");
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

static const char bash_start[] = "_nilo_after() {\n"
                                 "  case \"$1\" in\n";
static const char bash_end[] =
    "  esac\n"
    "}\n"
    "_nilo() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} words=() next='' takes='' known=2 i\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    if [[ ${COMP_WORDS[i]} != -* ]]; then\n"
    "      words+=(\"${COMP_WORDS[i]}\")\n"
    "    elif _nilo_argument \"${COMP_WORDS[i]}\"; then\n"
    "      i=$((i + 1))\n"
    "    fi\n"
    "  done\n"
    "  if [[ $i -eq $COMP_CWORD ]]; then\n"
    "    takes=''\n"
    "    _nilo_after \"${words[*]:0:2}\"\n"
    "    [[ -n $next ]] || { known=1; _nilo_after \"${words[0]}\"; }\n"
    "    takes=($takes)\n"
    "    [[ ${#words[@]} -ge $known ]] || known=${#words[@]}\n"
    "    takes=${takes[${#words[@]} - known]}\n"
    "  fi\n"
    "  if [[ $cur != -* && -n $takes ]]; then _nilo_values \"$takes\"; fi\n"
    "  COMPREPLY=($(compgen -W \"$next\" -- \"$cur\"))\n"
    "  case $takes in *FILE* | DIR*) COMPREPLY+=($(compgen -f -- \"$cur\")) ;; esac\n"
    "}\n"
    "complete -o filenames -F _nilo nilo\n";

/* zsh runs bash's completions by bashcompinit, so there is one to keep right. */
static const char bash_title[] = "# Completion of nilo for bash; made by: nilo completion bash\n";
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
    fputs(strcmp(shell, "zsh") ? bash_title : zsh_start, stdout);
    print_values();
    print_arguments(a);
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
    const struct command *longer = NULL;
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
            args_print_beside(c->words, 23, c->help);
            group = true;
        }
        len = strlen(c->words);
        if (!strncmp(c->words, words, len) && words[len] == ' ' &&
            *c->arguments) /* import meters */
            longer = c;
    }
    if (longer)
        args_help(a->table, longer);
    if (group || longer)
        return EXIT_DONE;
    if (a->count) {
        say("there is no command '%s'; nilo help lists them", words);
        return EXIT_USAGE;
    }
    args_help(a->table, NULL);
    return EXIT_DONE;
}
