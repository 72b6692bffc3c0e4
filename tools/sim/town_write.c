/* A town as the files of the contract. */
#include "tools/sim/town.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct writer {
    const char *dir;
    const struct town *town;
    const struct town_options *options;
    struct town_summary summary;
    FILE *file;
    struct refusal *r;
    enum err err;
};

static enum err fail(struct writer *w, const char *name)
{
    w->err = errno == ENOSPC ? ERR_FULL : ERR_IO;
    return refuse(w->r, w->err, 0, "", "%.120s/%s: %s", w->dir, name, strerror(errno));
}

static bool begin(struct writer *w, const char *name, const char *header)
{
    char path[4096];

    if (w->err)
        return false;
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    if (!(w->file = fopen(path, "w"))) {
        fail(w, name);
        return false;
    }
    setvbuf(w->file, NULL, _IOFBF, 1 << 18);
    fprintf(w->file, "%s\n", header);
    return true;
}

static void end(struct writer *w, const char *name)
{
    int bad = ferror(w->file);

    if (fclose(w->file) || bad)
        fail(w, name);
    w->file = NULL;
}

/* ---- the register ---- */

static uint32_t groups(const struct writer *w, uint32_t each)
{
    return (w->options->meters + each - 1) / each;
}

static void write_orgs(struct writer *w)
{
    uint32_t teams = groups(w, 1000), branches = groups(w, 5000);

    if (!begin(w, "orgs.csv", "org,parent,level,name"))
        return;
    fputs("ORG-0,,company,尼罗市水务公司 Nile City Water\n", w->file);
    for (uint32_t i = 1; i <= branches; i++)
        fprintf(w->file, "ORG-B%u,ORG-0,branch,第%u营业所 Branch %u\n", (unsigned)i, (unsigned)i,
                (unsigned)i);
    for (uint32_t i = 1; i <= teams; i++)
        fprintf(w->file, "ORG-T%u,ORG-B%u,team,抄表%u班 Team %u\n", (unsigned)i,
                (unsigned)((i - 1) / 5 + 1), (unsigned)i, (unsigned)i);
    end(w, "orgs.csv");
}

static void write_zones(struct writer *w)
{
    if (!begin(w, "zones.csv", "zone,parent,level,name,kind,mains_km,pressure_m"))
        return;
    fputs("CITY,,0,全市 City,city,,\n", w->file);
    for (uint32_t i = 1; i <= groups(w, 250); i++)
        fprintf(w->file, "DMA-%02u,CITY,1,%u号计量区 Zone %u,dma,%u.%u,%u\n", (unsigned)i,
                (unsigned)i, (unsigned)i, (unsigned)(2 + i % 5), (unsigned)(i % 10),
                (unsigned)(24 + i % 9));
    end(w, "zones.csv");
}

static void write_routes(struct writer *w)
{
    if (!begin(w, "routes.csv", "route,org,reader,days,name"))
        return;
    for (uint32_t i = 1; i <= groups(w, 200); i++)
        fprintf(w->file, "R%03u,ORG-T%u,reader%u,%u,%u号抄表册 Route %u\n", (unsigned)i,
                (unsigned)((i - 1) / 5 + 1), (unsigned)((i - 1) / 2 + 1), (unsigned)(1 + i % 25),
                (unsigned)i, (unsigned)i);
    end(w, "routes.csv");
}

static void write_meters(struct writer *w)
{
    static const char *const forms[] = { "net", "forward", "both" };
    static const char *const models[VOICE_COUNT] = { "NB", "RF", "PD", "LW" };

    if (!begin(w, "meters.csv",
               "serial,model,dn,q3,r,resolution_l,register,dialect,radio_id,batch,supplier,"
               "verified_on"))
        return;
    for (uint32_t n = 0; n < w->options->meters; n++) {
        const struct town_meter *a = town_meter(w->town, n);
        const struct meter_facts *m = &a->facts;

        fprintf(w->file, "%s,%s-%d,%d,%lld.%lld,100,%lld,%s,%s,%s,B%u,%s,20%02u-0%u-15\n",
                m->serial, models[a->voice], (int)m->dn_mm, (int)m->dn_mm,
                (long long)(m->q3_lph / 1000), (long long)(m->q3_lph % 1000 / 100),
                (long long)(m->resolution_ml / 1000), forms[m->form], voice_dialect(a->voice),
                a->radio_id, (unsigned)(n / 50 + 1), n % 3 ? "江南仪表 Jiangnan" : "Nile Meters",
                (unsigned)(21 + n % 5), (unsigned)(1 + n % 9));
    }
    end(w, "meters.csv");
}

static void write_keys(struct writer *w)
{
    if (!begin(w, "keys.csv", "serial,kind,key_hex"))
        return;
    for (uint32_t n = 0; n < w->options->meters; n++) {
        const struct town_meter *a = town_meter(w->town, n);

        if (a->voice != VOICE_OMS)
            continue;
        fprintf(w->file, "%s,oms,", a->facts.serial);
        for (size_t i = 0; i < VOICE_KEY; i++)
            fprintf(w->file, "%02x", a->key[i]);
        fputc('\n', w->file);
    }
    end(w, "keys.csv");
}

static const char *use_name(enum use_class use)
{
    return use == USE_RESIDENTIAL  ? "residential"
           : use == USE_COMMERCIAL ? "commercial"
           : use == USE_PUBLIC     ? "public"
                                   : "industrial";
}

static void write_points(struct writer *w)
{
    if (!begin(w, "points.csv", "point,account,address,lon,lat,use_class,zone,route,route_seq"))
        return;
    for (uint32_t n = 0; n < w->options->meters; n++) {
        const struct town_meter *a = town_meter(w->town, n);

        fprintf(w->file, "%s,A%07u,\"%s\",%lld.%06lld,%lld.%06lld,%s,%s,%s,%u\n", a->point.point,
                (unsigned)n + 1, a->address, (long long)(a->lon_e6 / 1000000),
                (long long)(a->lon_e6 % 1000000), (long long)(a->lat_e6 / 1000000),
                (long long)(a->lat_e6 % 1000000), use_name(a->point.use), a->zone, a->route,
                (unsigned)(n % 200 + 1));
    }
    end(w, "points.csv");
}

/* ---- readings ---- */

/* A line of readings.csv without printf: a year of a town is a hundred million of them. */
static char *put_text(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static bool write_reading(void *arg, const struct town_reading *r)
{
    struct writer *w = (struct writer *)arg;
    char line[160], *at = line, time[TEXT_TIME_SIZE], litres[TEXT_LITRES_SIZE];

    text_put_time(time, r->row.time_s);
    text_put_litres(litres, r->row.value);
    at = put_text(at, town_meter(w->town, r->meter)->facts.serial);
    *at++ = ',';
    at = put_text(at, time);
    *at++ = ',';
    at = put_text(at, litres);
    *at++ = ',';
    at = put_text(at, channel_name(r->channel));
    at = put_text(at, (r->row.attr & ATTR_SOURCE) == SOURCE_MANUAL ? ",manual\n" : ",\n");
    w->summary.readings++;
    return fwrite(line, 1, (size_t)(at - line), w->file) == (size_t)(at - line);
}

static void write_readings(struct writer *w, struct town *t)
{
    bool more = true;

    if (!begin(w, "readings.csv", "serial,time,index_l,channel,source"))
        return;
    while (more && !w->err && !ferror(w->file))
        w->err = town_day(t, write_reading, w, &more);
    end(w, "readings.csv");
}

static void write_fittings(struct writer *w)
{
    char time[TEXT_TIME_SIZE];

    text_put_time(time, w->options->from_s);
    if (!begin(w, "fittings.csv", "point,serial,from,start_index_l"))
        return;
    for (uint32_t n = 0; n < w->options->meters; n++) {
        const struct town_meter *a = town_meter(w->town, n);
        char litres[TEXT_LITRES_SIZE];

        text_put_litres(litres, a->start_ml);
        fprintf(w->file, "%s,%s,%s,%s\n", a->point.point, a->facts.serial, time, litres);
    }
    end(w, "fittings.csv");
}

/* ---- what is true ---- */

static void write_truth(struct writer *w)
{
    static const char *const kinds[] = { "", "stuck", "reversed", "leak" };

    if (!begin(w, "truth.csv", "serial,kind,onset,size_lph,note"))
        return;
    for (uint32_t n = 0; n < w->options->meters; n++) {
        const struct town_meter *a = town_meter(w->town, n);
        char time[TEXT_TIME_SIZE], until[TEXT_TIME_SIZE];

        w->summary.faults[a->fault]++;
        if (a->fault == TOWN_SOUND)
            continue;
        text_put_time(time, a->onset_s);
        text_put_time(until, a->end_s == INT64_MAX ? 0 : a->end_s);
        fprintf(w->file, "%s,%s,%s,%.1f,%s%s%s\n", a->facts.serial, kinds[a->fault], time,
                a->size_lph, a->daily ? "daily readings" : "hourly readings",
                a->end_s == INT64_MAX ? "" : "; repaired ", a->end_s == INT64_MAX ? "" : until);
    }
    end(w, "truth.csv");
}

static void write_notes(struct writer *w)
{
    static const char *const ways[] = { "family", "vacant", "second home", "always on",
                                        "shop",   "office", "works" };

    if (!begin(w, "notes.csv", "serial,way"))
        return;
    for (uint32_t n = 0; n < w->options->meters; n++)
        fprintf(w->file, "%s,%s\n", town_meter(w->town, n)->facts.serial,
                ways[town_meter(w->town, n)->way]);
    end(w, "notes.csv");
}

enum err town_write(const struct town_options *options, const char *dir, struct town_summary *out,
                    struct refusal *r)
{
    struct town *t;
    struct writer w = { .dir = dir, .r = r };
    enum err err = town_new(options, &t);

    if (err)
        return refuse(r, err, 0, "",
                      err == ERR_INVALID
                          ? "a town needs meters, days and years between 1970 and 2106"
                          : "no memory for so many meters");
    w.town = t;
    w.options = town_options_of(t);
    if (mkdir(dir, 0777) && errno != EEXIST) {
        fail(&w, "");
    } else {
        write_orgs(&w);
        write_zones(&w);
        write_routes(&w);
        write_meters(&w);
        if (options->mixed)
            write_keys(&w);
        write_points(&w);
        write_fittings(&w);
        write_readings(&w, t);
        write_truth(&w);
        write_notes(&w);
    }
    w.summary.meters = options->meters;
    w.summary.lost = town_lost(t);
    town_free(t);
    if (!w.err)
        *out = w.summary;
    return w.err;
}
