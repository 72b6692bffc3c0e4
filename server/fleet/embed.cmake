# Writes FILE as C: `const struct span NAME`, a data file that stands in the program. Run by the build: cmake -DOUT=… -DFILE=… -DNAME=… -P embed.cmake
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
set(c "/* Written by server/fleet/embed.cmake. */\n#include \"proto/base/span.h\"\n\n")
string(APPEND c "extern const struct span ${NAME};\n\nstatic const uint8_t bytes[] = {\n${bytes}\n};\n\nconst struct span ${NAME} = { bytes, sizeof bytes };\n")
file(WRITE ${OUT} "${c}")
