#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "fuzz/same.h"

#include <string.h>

#include "snmp/value.h"

static uint64_t
count_of(const netsnmp_variable_list *variable)
{
	return (uint64_t)variable->val.counter64->high << 32 |
		(variable->val.counter64->low & UINT32_MAX);
}

static bool
same_ids(const uint32_t *ids, size_t count, const oid *theirs, size_t their_count)
{
	if (count != their_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (ids[i] != theirs[i])
			return false;
	return true;
}

static bool
same_octets(const struct value *value, const netsnmp_variable_list *variable)
{
	return value->size == variable->val_len &&
		(value->size == 0 || memcmp(value->octets, variable->val.string, value->size) == 0);
}

static bool
same_real(double is, double wanted)
{
	return memcmp(&is, &wanted, sizeof is) == 0;
}

static bool
same_value(const struct value *value, const netsnmp_variable_list *variable)
{
	uint64_t number = variable->type == ASN_COUNTER || variable->type == ASN_GAUGE ||
		variable->type == ASN_TIMETICKS || variable->type == ASN_UINTEGER ?
		(uint64_t)*variable->val.integer & UINT32_MAX : 0;

	switch (variable->type) {
	case ASN_INTEGER:
		return value->type == VALUE_INTEGER && value->integer == *variable->val.integer;
	case ASN_COUNTER: return value->type == VALUE_COUNTER32 && value->count == number;
	case ASN_GAUGE:
	case ASN_UINTEGER: return value->type == VALUE_GAUGE && value->count == number;
	case ASN_TIMETICKS: return value->type == VALUE_TICKS && value->count == number;
	case ASN_COUNTER64:
	case ASN_OPAQUE_COUNTER64:
	case ASN_OPAQUE_U64:
		return value->type == VALUE_COUNTER64 && value->count == count_of(variable);
	case ASN_OPAQUE_I64:
		return value->type == VALUE_INTEGER && value->integer == (int64_t)count_of(variable);
	case ASN_OPAQUE_FLOAT:
		return value->type == VALUE_REAL && same_real(value->real, *variable->val.floatVal);
	case ASN_OPAQUE_DOUBLE:
		return value->type == VALUE_REAL && same_real(value->real, *variable->val.doubleVal);
	case ASN_OCTET_STR: return value->type == VALUE_OCTETS && same_octets(value, variable);
	case ASN_OPAQUE: return value->type == VALUE_OPAQUE && same_octets(value, variable);
	case ASN_IPADDRESS: return value->type == VALUE_ADDRESS && same_octets(value, variable);
	case ASN_OBJECT_ID:
		return value->type == VALUE_OID && same_ids(value->ids, value->size,
			variable->val.objid, variable->val_len / sizeof(oid));
	case ASN_NULL: return value->type == VALUE_NULL;
	case SNMP_NOSUCHOBJECT: return value->type == VALUE_NO_SUCH_OBJECT;
	case SNMP_NOSUCHINSTANCE: return value->type == VALUE_NO_SUCH_INSTANCE;
	case SNMP_ENDOFMIBVIEW: return value->type == VALUE_END_OF_VIEW;
	default: return false;
	}
}

bool
same_varbinds(const struct varbind *ours, size_t count, const netsnmp_variable_list *theirs)
{
	for (size_t i = 0; i < count; i++, theirs = theirs->next_variable)
		if (theirs == NULL || !same_ids(ours[i].ids, ours[i].count, theirs->name,
			    theirs->name_length) || !same_value(&ours[i].value, theirs))
			return false;
	return theirs == NULL;
}
