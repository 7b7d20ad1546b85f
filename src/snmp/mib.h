/* mib.h - MIB modules in files: names to numbers, and numbers to what people read.
 *
 * For the command line, and for who checks a configuration; no role of the daemon reads a MIB
 * file. Net-SNMP's parser does the reading. It has one tree in a process, which keeps what was
 * read; so there is one struct mib at a time. Open the first one before snmp_new(), which
 * shuts Net-SNMP off from all files. */
#ifndef PW_MIB_H
#define PW_MIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct fail;
struct varbind;

struct mib;
/* Modules are looked for in dirs, then where Net-SNMP's tools look ($MIBDIRS, or
 * ~/.snmp/mibs and /usr/share/snmp/mibs and below). A directory that is not there is none. */
struct mib *mib_open(const char *const *dirs, size_t count);
void mib_close(struct mib *mib); /* NULL is fine */

/* Is it meant as a name: "IF-MIB::ifHCInOctets", also with ".1" or anything else behind? */
bool mib_is_name(const char *text);
/* The same without a module: "ifHCInOctets.1". */
bool mib_is_bare_name(const char *text);
/* Reads the module, and those it needs. What follows the object's name stays as it is:
 * "SNMPv2-MIB::sysUpTime.0" becomes "1.3.6.1.2.1.1.3.0". -1 and why: which module is not
 * there and what to do, or the name that was perhaps meant. For a bare name all modules are
 * read; when several have it at different places, why names them. */
int mib_resolve(struct mib *mib, const char *text, char *to, size_t size, struct fail *why);

/* What stands at the numbers that mib_resolve has made of a name, and whether anything is behind it
 * (RFC 2578 section 7.7): a scalar has one value, at .0; a column has one for each row. */
enum mib_kind { MIB_OTHER, MIB_SCALAR, MIB_COLUMN };
enum mib_kind mib_kind(const char *numbers, bool *instance);

/* Every module there is, as walk and probe need it. False when there is none. */
bool mib_read_all(struct mib *mib);
/* "IF-MIB::ifDescr.1" for the longest part that has a name; false when none has. What it
 * says, mib_resolve understands. */
bool mib_oid_text(struct mib *mib, char *to, size_t size, const uint32_t *ids, size_t count);
/* The value as its MIB means it: an enumeration as "up(1)", by DISPLAY-HINT, an OID by name.
 * False where the MIB says nothing that the value does not say by itself. */
bool mib_value_text(struct mib *mib, char *to, size_t size, const struct varbind *varbind);
#endif
