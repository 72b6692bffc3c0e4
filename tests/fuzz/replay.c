/* Runs a fuzz target over files, with any compiler: each argument is a file or a folder of files.
 * A folder that is empty or absent is said, not passed over in silence. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data, *exact;
    size_t size;

    if (!f) {
        perror(path);
        return -1;
    }
    fseek(f, 0, SEEK_END);
    size = (size_t)ftell(f);
    rewind(f);
    data = malloc(size ? size : 1);
    size = data ? fread(data, 1, size, f) : 0;
    fclose(f);
    /* Exactly as long as the input, so that a sanitizer sees one byte too far. */
    exact = realloc(data, size ? size : 1);
    if (!exact) {
        free(data);
        return -1;
    }
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 1;
}

static int replay_folder(const char *path)
{
    DIR *d = opendir(path);
    int count = 0;

    for (struct dirent *entry; d && (entry = readdir(d));) {
        char file[4096];
        int one;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        one = replay_file(file);
        if (one < 0) {
            closedir(d);
            return -1;
        }
        count += one;
    }
    if (d)
        closedir(d);
    if (count == 0)
        printf("%s: no files\n", path);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        struct stat s;
        int count;

        if (stat(argv[i], &s)) {
            printf("%s: absent\n", argv[i]);
            continue;
        }
        count = S_ISDIR(s.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs, none broke it\n", total);
    return 0;
}
