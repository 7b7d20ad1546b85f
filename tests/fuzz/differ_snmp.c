/* The fast engine's decoder and encoder against Net-SNMP's, answer by answer.
 *
 * Packets are built by Net-SNMP: of every record in ../shared/recordings where that is there,
 * and of values that lie at the edges of their types. Then they are damaged, PW_MUTATIONS
 * times (20,000). What both decoders take must be the same to the last bit; what Net-SNMP
 * refuses the fast one must refuse; where the fast one is stricter a rule must say why, and
 * each such rule is printed with the number of its cases. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/mutate.h"
#include "fuzz/rule.h"
#include "fuzz/same.h"
#include "fuzz/targets.h"
#include "snmp/ber.h"
#include "snmp/fast.h"
#include "snmp/oid.h"
#include "snmp/snmp.h"
#include "unit/check.h"

#define MUTATIONS 20000
#define PACKET 16384
#define OBJECTS 20 /* to a packet */

static struct packet {
	uint8_t bytes[PACKET];
	size_t size;
} *packets;
static size_t packet_count;

static struct fast_room room;
static unsigned long agreed, both_refused, stricter;
static struct {
	const char *rule;
	unsigned long count;
} rules[64];

/* ---- comparison ---- */

static bool
same_message(const struct ber_peek *peek, size_t count, const netsnmp_pdu *pdu)
{
	if (pdu->version != peek->version || pdu->command != peek->pdu ||
		(int32_t)pdu->reqid != peek->request_id || pdu->errstat != peek->error_status ||
		pdu->errindex != peek->error_index || pdu->community_len != peek->community_size ||
		(peek->community_size > 0 &&
			memcmp(pdu->community, peek->community, peek->community_size) != 0))
		return false;
	return same_varbinds(room.varbinds, count, pdu->variables);
}

/* The arcs may be left to who reads: the names are the same, and so is all else. */
static bool
names_agree(const struct ber_peek *peek, bool read, size_t count)
{
	static struct fast_room names;
	uint32_t ids[SNMP_OID_MAX];
	size_t named = 0;

	if ((fast_read_names(peek, &names, count / 2, &named) == 0) != read)
		return false;
	for (size_t i = 0; read && i < count; i++) {
		const struct varbind *x = &room.varbinds[i], *y = &names.varbinds[i];
		size_t arcs = oid_from_wire(ids, y->name, y->name_size);

		if (arcs != x->count || memcmp(ids, x->ids, arcs * sizeof *ids) != 0 ||
			(y->ids != NULL) != (i < count / 2) || x->value.type != y->value.type ||
			x->value.size != y->value.size || (x->value.type != VALUE_OID &&
				x->value.count != y->value.count))
			return false;
	}
	return !read || named == count;
}

/* Beside a question, which has other objects but for the odd ones, some of them missing. */
static bool
answer_agrees(const struct ber_peek *peek, bool read, size_t count)
{
	static const uint32_t nowhere[] = { 1, 3, 6, 1, 4, 1, 99999, 1, 0 };
	static struct fast_room answer;
	struct snmp_oid asked[128];
	struct session_request request = { .op = SESSION_GET, .oids = asked };
	size_t answered = 0;
	uint8_t *list;
	bool same;

	for (; read && request.count < count && request.count < 100; request.count++) {
		const struct varbind *varbind = &room.varbinds[request.count];
		bool other = request.count % 2 == 0 || varbind->count > 20;

		asked[request.count] = other ? (struct snmp_oid){ nowhere, 9 } :
			(struct snmp_oid){ varbind->ids, varbind->count };
	}
	request.list = list = fast_write_list(asked, request.count, &request.list_size);
	same = (fast_read_answer(peek, &answer, &request, &answered) == 0) == read &&
		(!read || answered == count);
	for (size_t i = 0; same && read && i < count; i++) {
		const struct varbind *x = &room.varbinds[i], *y = &answer.varbinds[i];

		same = oid_equal(x->ids, x->count, y->ids, y->count) &&
			x->value.type == y->value.type && x->value.size == y->value.size &&
			(x->value.type == VALUE_OID || x->value.count == y->value.count);
	}
	free(list);
	return same;
}

static void
note_rule(const char *rule)
{
	size_t i = 0;

	while (rules[i].rule != NULL && strcmp(rules[i].rule, rule) != 0)
		i++;
	rules[i].rule = rule;
	rules[i].count++;
}

static void
complain(const char *what, const uint8_t *bytes, size_t size)
{
	print_error("%s:\n", what);
	for (size_t i = 0; i < size; i++)
		print_error("%02x%s", bytes[i], i % 32 == 31 ? "\n" : " ");
	print_error("\n");
	fail();
}

/* The decoders on their own memory: a read behind the end is seen by ASan. */
static void
compare(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	netsnmp_session session;
	struct ber_peek peek, whole;
	size_t count = 0;
	const char *rule = rule_broken(bytes, size);
	bool fast, theirs;

	memcpy(copy, bytes, size);
	fast = ber_peek_head(copy, size, &peek) == 0 && peek.version != BER_V3 &&
		fast_read(&peek, &room, &count) == 0;
	if (fast != (ber_peek(bytes, size, &whole) == 0 && whole.version != BER_V3) ||
		(fast && whole.varbinds != count))
		complain("ber_peek and fast_read do not agree", bytes, size);
	if (peek.list != NULL && peek.version != BER_V3 && !names_agree(&peek, fast, count))
		complain("read otherwise by its names", bytes, size);
	if (peek.list != NULL && peek.version != BER_V3 && !answer_agrees(&peek, fast, count))
		complain("read otherwise beside a question", bytes, size);
	fuzz_fast(bytes, size);
	if (fast != (rule == NULL))
		complain(fast ? rule : "refused, but no rule is broken", bytes, size);
	/* Of version 3 it would look for users. */
	snmp_sess_init(&session);
	theirs = (rule == NULL || strcmp(rule, "another version") != 0) &&
		snmp_parse(NULL, &session, pdu, copy, size) == 0;
	if (fast && !theirs)
		complain("taken, but Net-SNMP refuses it", bytes, size);
	if (fast && !same_message(&peek, count, pdu))
		complain("read otherwise than Net-SNMP does", bytes, size);
	agreed += fast;
	both_refused += !fast && !theirs;
	stricter += !fast && theirs;
	if (!fast && theirs)
		note_rule(rule);
	snmp_free_pdu(pdu);
	free(copy);
}

/* ---- packets, built by Net-SNMP ---- */

static void
keep(netsnmp_session *session, netsnmp_pdu *pdu)
{
	u_char *bytes = malloc(PACKET);
	size_t length = PACKET, offset = 0;

	if (snmp_build(&bytes, &length, &offset, session, pdu) == 0 && offset <= PACKET) {
		packets = realloc(packets, (packet_count + 1) * sizeof *packets);
		memcpy(packets[packet_count].bytes, bytes + length - offset, offset);
		packets[packet_count++].size = offset;
	}
	free(bytes);
}

static netsnmp_pdu *
new_answer(netsnmp_session *session, long version, int command)
{
	netsnmp_pdu *pdu = snmp_pdu_create(command);

	snmp_sess_init(session);
	session->version = version;
	session->community = (u_char *)"public";
	session->community_len = 6;
	pdu->version = version;
	pdu->reqid = (long)fuzz_roll(INT32_MAX);
	return pdu;
}

static size_t
unhex(const char *text, u_char *to)
{
	size_t size = 0;
	unsigned octet;

	while (sscanf(text + 2 * size, "%2x", &octet) == 1)
		to[size++] = (u_char)octet;
	return size;
}

/* One record of a .snmprec file: OID|TAG|VALUE, TAGx: in hexadecimal. */
static void
add_record(netsnmp_pdu *pdu, char *line)
{
	char *save, *name = strtok_r(line, "|", &save), *tag = strtok_r(NULL, "|", &save);
	char *text = strtok_r(NULL, "\n", &save), *rest;
	static u_char octets[PACKET];
	oid ids[MAX_OID_LEN], arcs[MAX_OID_LEN];
	size_t count = MAX_OID_LEN, arc_count = MAX_OID_LEN, size;
	u_char type;
	long number;
	struct counter64 big;

	if (tag == NULL || snmp_parse_oid(name, ids, &count) == NULL)
		return;
	text = text == NULL ? strchr(tag, '\0') : text;
	type = (u_char)strtol(tag, &rest, 10);
	size = *rest == 'x' ? unhex(text, octets) :
		(size_t)snprintf((char *)octets, sizeof octets, "%s", text);
	if (type == ASN_IPADDRESS && *rest != 'x')
		size = sscanf(text, "%hhu.%hhu.%hhu.%hhu", octets, octets + 1, octets + 2,
			octets + 3) == 4 ? 4 : 0;
	if (type == ASN_OBJECT_ID) {
		if (snmp_parse_oid(text, arcs, &arc_count) != NULL)
			snmp_pdu_add_variable(pdu, ids, count, type, arcs, arc_count * sizeof *arcs);
	} else if (type == ASN_COUNTER64) {
		unsigned long long value = strtoull(text, NULL, 10);

		big = (struct counter64){ .high = value >> 32, .low = value & UINT32_MAX };
		snmp_pdu_add_variable(pdu, ids, count, type, &big, sizeof big);
	} else if (type == ASN_OCTET_STR || type == ASN_IPADDRESS || type == ASN_OPAQUE) {
		snmp_pdu_add_variable(pdu, ids, count, type, octets, size);
	} else if (type == ASN_NULL) {
		snmp_pdu_add_variable(pdu, ids, count, type, NULL, 0);
	} else {
		number = type == ASN_INTEGER ? strtol(text, NULL, 10) : (long)strtoul(text, NULL, 10);
		snmp_pdu_add_variable(pdu, ids, count, type, &number, sizeof number);
	}
}

static void
read_recording(const char *path)
{
	FILE *file = fopen(path, "r");
	static char line[PACKET];
	netsnmp_session session;
	netsnmp_pdu *pdu = new_answer(&session, SNMP_VERSION_2c, SNMP_MSG_RESPONSE);
	size_t objects = 0;

	CHECK(file != NULL);
	while (fgets(line, sizeof line, file) != NULL) {
		add_record(pdu, line);
		if (++objects % OBJECTS != 0)
			continue;
		keep(&session, pdu);
		snmp_free_pdu(pdu);
		pdu = new_answer(&session, objects / OBJECTS % 2 == 0 ? SNMP_VERSION_2c :
			SNMP_VERSION_1, SNMP_MSG_RESPONSE);
	}
	keep(&session, pdu);
	snmp_free_pdu(pdu);
	fclose(file);
}

/* Where the recordings are, as the system tests look for them. */
static size_t
read_recordings(void)
{
	const char *source = getenv("PW_SRC"), *other = getenv("PW_RECORDINGS");
	char folder[2048], path[4096];
	struct dirent *entry;
	size_t files = 0;
	DIR *dir;

	snprintf(folder, sizeof folder, "%s/../shared/recordings", source != NULL ? source : ".");
	dir = opendir(folder);
	if (dir == NULL && other != NULL) {
		snprintf(folder, sizeof folder, "%s", other);
		dir = opendir(folder);
	}
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strstr(entry->d_name, ".snmprec") == NULL)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		read_recording(path);
		files++;
	}
	if (dir != NULL)
		closedir(dir);
	return files;
}

static void
add_edges(netsnmp_pdu *pdu)
{
	static const long integers[] = { 0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768,
		-32769, 8388607, 8388608, INT32_MAX, INT32_MIN };
	static const u_char counts[] = { ASN_COUNTER, ASN_GAUGE, ASN_TIMETICKS };
	oid name[] = { 1, 3, 6, 1, 4, 1, 4294967295, 127, 128, 16383, 16384, 2097152, 268435456, 0 };
	size_t arcs = sizeof name / sizeof name[0];
	float single = 25.4F;
	double wide = -1e300;
	long long negative = -5;

	for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++, name[arcs - 1]++) {
		long number = integers[i] & UINT32_MAX;
		struct counter64 big = { .high = i % 2 == 0 ? number : 0, .low = number };

		snmp_pdu_add_variable(pdu, name, arcs, ASN_INTEGER, &integers[i], sizeof(long));
		snmp_pdu_add_variable(pdu, name, arcs, counts[i % 3], &number, sizeof number);
		snmp_pdu_add_variable(pdu, name, arcs, ASN_COUNTER64, &big, sizeof big);
	}
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OBJECT_ID, name, sizeof name);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OCTET_STR, "", 0);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OPAQUE_FLOAT, &single, sizeof single);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OPAQUE_DOUBLE, &wide, sizeof wide);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OPAQUE, "\x01\x02", 2);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_IPADDRESS, "\x0a\x01\x03\x01", 4);
	snmp_pdu_add_variable(pdu, name, arcs, ASN_OPAQUE_I64,
		&(struct counter64){ .high = (unsigned long)(negative >> 32) & UINT32_MAX,
			.low = (unsigned long)negative & UINT32_MAX }, sizeof(struct counter64));
	snmp_pdu_add_variable(pdu, name, arcs, SNMP_NOSUCHOBJECT, NULL, 0);
	snmp_pdu_add_variable(pdu, name, arcs, SNMP_NOSUCHINSTANCE, NULL, 0);
	snmp_pdu_add_variable(pdu, name, arcs, SNMP_ENDOFMIBVIEW, NULL, 0);
}

static void
make_packets(void)
{
	netsnmp_session session;
	netsnmp_pdu *pdu;

	for (int kind = 0; kind < 4; kind++) {
		pdu = new_answer(&session, kind % 2 == 0 ? SNMP_VERSION_2c : SNMP_VERSION_1,
			SNMP_MSG_RESPONSE);
		pdu->errstat = kind / 2 * 2;
		pdu->errindex = kind / 2 * 3;
		add_edges(pdu);
		keep(&session, pdu);
		snmp_free_pdu(pdu);
	}
}

/* ---- the tests ---- */

static void
sound_packets_are_read_as_net_snmp_reads_them(void)
{
	for (size_t i = 0; i < packet_count; i++)
		compare(packets[i].bytes, packets[i].size);
	CHECK_INT(agreed, packet_count);
}

static void
what_fits_no_type_is_treated_alike(void)
{
	/* SEQUENCE { 1.3.6.1.2.1.1.3.0, VALUE } in an answer to request 1. */
	static const char *const values[] = { "\x06\x00", "\x41\x01\x80", "\x46\x02\xff\xff",
		"\x02\x08\x00\x00\x00\x00\x7f\xff\xff\xff", "\x02\x01\x80", "\x44\x00",
		"\x44\x04\x9f\x7a\x01\x80", "\x44\x04\x9f\x76\x01\x7f", "\x44\x04\x9f\x76\x01\x80",
		"\x44\x04\x9f\x7b\x01\x80", "\x46\x08\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x41\x04\xff\xff\xff\xff", "\x47\x01\x05", "\x06\x01\x00", "\x06\x01\x4f",
		"\x06\x02\x81\x00", "\x06\x05\x90\x80\x80\x80\x00", "\x06\x05\x8f\xff\xff\xff\x7f" };
	static const uint8_t sizes[] = { 2, 3, 4, 10, 3, 2, 6, 6, 6, 6, 10, 6, 3, 3, 3, 4, 7, 7 };
	static const uint8_t name[] = { 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0 };

	for (size_t i = 0; i < sizeof sizes; i++) {
		uint8_t bytes[64], size = sizes[i];
		const uint8_t head[] = { 0x30, 0, 2, 1, 1, 4, 6, 'p', 'u', 'b',
			'l', 'i', 'c', 0xa2, 0, 2, 1, 1, 2, 1, 0, 2, 1, 0,
			0x30, (uint8_t)(size + 12), 0x30, (uint8_t)(size + 10) };

		memcpy(bytes, head, sizeof head);
		memcpy(bytes + sizeof head, name, sizeof name);
		memcpy(bytes + sizeof head + sizeof name, values[i], size);
		bytes[14] = (uint8_t)(size + sizeof name + sizeof head - 15);
		bytes[1] = (uint8_t)(size + sizeof name + sizeof head - 2);
		compare(bytes, sizeof head + sizeof name + size);
	}
}

static void
damaged_packets_are_refused_or_read_alike(void)
{
	const char *wanted = getenv("PW_MUTATIONS");
	unsigned long rounds = wanted != NULL ? strtoul(wanted, NULL, 10) : MUTATIONS;
	static uint8_t bytes[PACKET + 64];

	for (unsigned long i = 0; i < rounds; i++) {
		const struct packet *packet = &packets[fuzz_roll((uint32_t)packet_count)];

		memcpy(bytes, packet->bytes, packet->size);
		compare(bytes, fuzz_mutate(bytes, packet->size, sizeof bytes, NULL));
	}
	printf("%lu mutations: both decoders read %lu alike and refuse %lu, the fast one alone "
	       "refuses %lu:\n", rounds, agreed, both_refused, stricter);
	for (size_t i = 0; rules[i].rule != NULL; i++)
		printf("  %8lu  %s\n", rules[i].count, rules[i].rule);
	CHECK(both_refused > 0 && stricter > 0);
}

/* The names in a packet, asked for: the same octets as Net-SNMP's. */
static void
compare_question(const struct packet *packet, enum session_op op)
{
	static const int commands[] = { [SESSION_GET] = SNMP_MSG_GET,
		[SESSION_GETNEXT] = SNMP_MSG_GETNEXT, [SESSION_GETBULK] = SNMP_MSG_GETBULK };
	struct snmp_oid oids[128];
	struct session_request request = { .op = op, .oids = oids, .non_repeaters = 1,
		.max_repetitions = (uint16_t)fuzz_roll(300) };
	struct fast_question question = { .community = "public", .request = &request };
	static uint8_t bytes[65507];
	u_char *theirs = malloc(PACKET);
	size_t length = PACKET, offset = 0, size;
	netsnmp_session session;
	netsnmp_pdu *pdu;
	struct ber_peek peek;
	uint8_t *ours;

	CHECK(ber_peek_head(packet->bytes, packet->size, &peek) == 0);
	CHECK(fast_read(&peek, &room, &request.count) == 0 && request.count <= 128);
	question.version = peek.version;
	if (op == SESSION_GETBULK)
		question.version = BER_V2C;
	pdu = new_answer(&session, question.version, commands[op]);
	question.id = (int32_t)pdu->reqid;
	if (op == SESSION_GETBULK) {
		pdu->non_repeaters = request.non_repeaters;
		pdu->max_repetitions = request.max_repetitions;
	}
	for (size_t i = 0; i < request.count; i++) {
		oid name[MAX_OID_LEN];

		oids[i] = (struct snmp_oid){ room.varbinds[i].ids, room.varbinds[i].count };
		for (size_t k = 0; k < oids[i].count; k++)
			name[k] = oids[i].ids[k];
		snmp_add_null_var(pdu, name, oids[i].count);
	}
	CHECK(snmp_build(&theirs, &length, &offset, &session, pdu) == 0);
	ours = fast_write(&question, bytes, sizeof bytes, &size);
	if (ours == NULL || size != offset || memcmp(ours, theirs + length - offset, size) != 0)
		complain("another question than Net-SNMP's", ours, size);
	snmp_free_pdu(pdu);
	free(theirs);
}

static void
questions_are_the_same_octets(void)
{
	for (size_t i = 0; i < packet_count; i++)
		for (int op = SESSION_GET; op <= SESSION_GETBULK; op++)
			compare_question(&packets[i], (enum session_op)op);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { TEST(sound_packets_are_read_as_net_snmp_reads_them),
		TEST(questions_are_the_same_octets), TEST(what_fits_no_type_is_treated_alike),
		TEST(damaged_packets_are_refused_or_read_alike) };
	size_t files;
	int failed;

	session_library_prepare();
	fuzz_begin("differ_snmp");
	alarm(0); /* it counts rounds, not seconds */
	make_packets();
	files = read_recordings();
	printf("%zu packets, of %zu recordings%s\n", packet_count, files,
		files == 0 ? " (none in ../shared/recordings)" : "");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fast_room_free(&room);
	free(packets);
	return failed;
}
