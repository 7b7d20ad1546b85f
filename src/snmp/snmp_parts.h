/* snmp_parts.h - what snmp.c shares with walk.c: the sessions on its sockets. */
#ifndef PW_SNMP_PARTS_H
#define PW_SNMP_PARTS_H

struct sessions;
struct snmp;

struct sessions *snmp_sessions(struct snmp *snmp);
#endif
