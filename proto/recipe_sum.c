/* Checksums that payloads bear. */
#include "proto/recipe_priv.h"

static const char *const names[SUM_COUNT] = {
    [SUM_SUM8] = "sum8",
    [SUM_XOR8] = "xor8",
    [SUM_CRC16_MODBUS] = "crc16-modbus",
    [SUM_CRC16_CCITT] = "crc16-ccitt",
    [SUM_CRC16_XMODEM] = "crc16-xmodem",
    [SUM_CRC16_EN13757] = "crc16-en13757",
};

const char *recipe_sum_name(enum sum sum)
{
    return names[sum];
}

unsigned recipe_sum_bytes(enum sum sum)
{
    return sum == SUM_SUM8 || sum == SUM_XOR8 ? 1 : 2;
}

static uint16_t sum8(struct span bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++)
        sum = (uint8_t)(sum + bytes.at[i]);
    return sum;
}

static uint16_t xor8(struct span bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++)
        sum ^= bytes.at[i];
    return sum;
}

/* Highest bit first. */
static uint16_t crc_up(struct span bytes, uint16_t polynomial, uint16_t crc)
{
    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= (uint16_t)(bytes.at[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc << 1 ^ (crc & 0x8000 ? polynomial : 0));
    }
    return crc;
}

/* Lowest bit first: 0xA001 is 0x8005 turned round (MODBUS over serial line V1.02, 6.2.2). */
static uint16_t crc_modbus(struct span bytes)
{
    uint16_t crc = 0xffff;

    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.at[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
    }
    return crc;
}

uint16_t recipe_sum(enum sum sum, struct span bytes)
{
    switch (sum) {
    case SUM_SUM8:
        return sum8(bytes);
    case SUM_XOR8:
        return xor8(bytes);
    case SUM_CRC16_MODBUS:
        return crc_modbus(bytes);
    case SUM_CRC16_CCITT:
        return crc_up(bytes, 0x1021, 0xffff);
    case SUM_CRC16_XMODEM:
        return crc_up(bytes, 0x1021, 0);
    case SUM_CRC16_EN13757:
        return (uint16_t)~crc_up(bytes, 0x3d65, 0);
    case SUM_COUNT:
        break;
    }
    return 0;
}
