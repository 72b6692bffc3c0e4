/* CJ/T 188-2004 and -2018: the household meter's frame.
 *
 *     offset  bytes  field
 *     0       1      68
 *     1       1      T       type of meter: 10 to 19 water, 20 to 22 heat, 30 gas
 *     2       7      A0..A6  address, BCD, low byte first; A5 A6 the maker
 *     9       1      C       D7 1: from the meter; D6 1: it failed; D5: the maker's own; D4..D0 function
 *     10      1      L       bytes of DATA
 *     11      L      DATA    DI, two bytes in either order; SER; then what DI says
 *     11+L    1      CS      sum of all before, modulo 256
 *     12+L    1      16
 *
 * Before it stand up to CJT188_PREAMBLES bytes FE. Only L says where it ends: 16 stands anywhere.
 *
 * Names: the fourteen digits as shown to people (the wire's order reversed, the maker first), then the ten without the maker. Times are
 * the utility's civil time. Replies to reads make readings, those to writes outcomes (their command is SER, the low 8 bits of its
 * number). Well-formed but of a layout that no table tells: NO_RECIPE. Where the register's column `dialect` names a recipe, what
 * stands behind DI and SER of a reply 901F is the recipe's. */
#ifndef NILO_PROTO_CJT188_H
#define NILO_PROTO_CJT188_H

#include "proto/dialect.h"

#define CJT188_PREAMBLES 16 /* the standard says 2 to 4; a line that idles adds some */

extern const struct dialect dialect_cjt188;

#endif
