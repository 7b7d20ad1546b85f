/* Indexes of connections in both of TCP-MIB's tables. */
#include "snmp/peers.h"

#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "base/net.h"
#include "snmp/snmp.h"
#include "../check.h"

static char told[80];

static const char *
remote_of(const char *index)
{
	uint32_t ids[SNMP_OID_MAX];
	struct net_addr remote;
	struct fail why;
	size_t count;
	char oid[256];

	snprintf(oid, sizeof oid, "1.3.%s", index); /* an index may begin as no OID does */
	CHECK(snmp_oid_parse(oid, ids, &count, &why) == 0);
	if (!peer_of_index(ids + 2, count - 2, &remote))
		return "none";
	return net_addr_text(told, sizeof told, &remote, true);
}

static void
reads_the_remote_end_of_the_table_of_rfc_4022(void)
{
	CHECK_STR(remote_of("1.4.10.1.0.9.40112.1.4.10.1.7.20.502"), "10.1.7.20:502");
	CHECK_STR(remote_of("2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1.443."
		"2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.2.50000"), "[2001:db8::2]:50000");
}

static void
reads_the_remote_end_of_the_old_table(void)
{
	CHECK_STR(remote_of("10.1.0.9.40112.10.1.7.20.502"), "10.1.7.20:502");
	CHECK_STR(remote_of("1.4.10.1.22.1.4.16.2.65535"), "1.4.16.2:65535");
}

static void
takes_ipv4_out_of_sockets_for_both_and_leaves_zones_out(void)
{
	CHECK_STR(remote_of("2.16.0.0.0.0.0.0.0.0.0.0.255.255.10.1.0.9.40112."
		"2.16.0.0.0.0.0.0.0.0.0.0.255.255.10.1.7.20.502"), "10.1.7.20:502");
	CHECK_STR(remote_of("3.8.10.1.0.9.0.0.0.2.40112.3.8.10.1.7.20.0.0.0.2.502"),
		"10.1.7.20:502");
	CHECK_STR(remote_of("4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.2.1."
		"4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.2.502"), "[fe80::9]:502");
}

static void
refuses_what_is_no_index_of_a_connection(void)
{
	static const char *const wrong[] = {
		"1.2", "1.4.10.1.0.9.40112", "1.4.10.1.0.9.40112.1.4.10.1.7.20",
		"1.4.10.1.0.9.40112.1.4.10.1.7.20.502.1", "1.4.10.1.0.9.40112.1.4.10.1.7.256.502",
		"1.4.10.1.0.9.40112.1.4.10.1.7.20.65536", "1.5.10.1.0.9.9.40112.1.4.10.1.7.20.502",
		"10.1.0.9.40112.10.1.7.300.502", "0.0.22.1.4.10.1.7.20.502.7",
		"1.4.10.1.0.9.40112.9.4.10.1.7.20.502", "1.4294967295.10.1.0.9.40112.1.4.10.1.7.20.502",
	};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		CHECK_STR(remote_of(wrong[i]), "none");
}

static void
finds_the_place_that_is_looked_for_and_no_other(void)
{
	static const uint32_t index[] = { 10, 1, 0, 9, 40112, 10, 1, 7, 20, 502 };
	static const uint32_t reply[] = { 10, 1, 7, 20, 502, 10, 1, 0, 9, 40112 };
	struct snmp_peer peers[2];
	struct fail why;

	CHECK(peer_parse("10.1.7.20:503", &peers[0], &why) == 0);
	CHECK(peer_parse("10.1.7.20:502", &peers[1], &why) == 0);
	CHECK(peer_find(peers, 2, index, 10) == &peers[1]);
	CHECK(peer_find(peers, 1, index, 10) == NULL);
	CHECK(peer_find(peers, 2, reply, 10) == NULL); /* served by the device itself */
}

static const struct snmp_peer *
find(const struct snmp_peer *peers, size_t count, const char *index)
{
	uint32_t ids[SNMP_OID_MAX];
	struct fail why;
	size_t length;
	char oid[256];

	snprintf(oid, sizeof oid, "1.3.%s", index);
	CHECK(snmp_oid_parse(oid, ids, &length, &why) == 0);
	return peer_find(peers, count, ids + 2, length - 2);
}

#define FROM_IPV6 "2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.9.50000."

static void
finds_a_place_by_ipv6_however_it_is_written(void)
{
	struct snmp_peer peers[4];
	struct fail why;

	CHECK(peer_parse("[2001:DB8:0:0::20]:502", &peers[0], &why) == 0);
	CHECK(peer_parse("[2001:db8::20]:502", &peers[1], &why) == 0);
	CHECK(peer_same(&peers[0], &peers[1]));
	CHECK(peer_parse("[2001:db8::20]:503", &peers[1], &why) == 0);
	CHECK(!peer_same(&peers[0], &peers[1]));
	CHECK(peer_parse("[::ffff:10.1.7.20]:502", &peers[2], &why) == 0);
	CHECK(peer_parse("[fe80::9]:502", &peers[3], &why) == 0);
	CHECK(find(peers, 4, FROM_IPV6 "2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.32.502") ==
		&peers[0]);
	CHECK(find(peers, 4, FROM_IPV6 "2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.32.503") ==
		&peers[1]);
	CHECK(find(peers, 4, FROM_IPV6 "2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.33.502") == NULL);
	CHECK(find(peers, 4, "10.1.0.9.40112.10.1.7.20.502") == &peers[2]);
	CHECK(find(peers, 4, "4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.2.1."
		"4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.0.0.2.502") == &peers[3]);
	/* The same octets as an IPv4 end and its port are not the same place. */
	CHECK(find(peers, 4, FROM_IPV6 "1.4.32.1.13.184.502") == NULL);
}

static void
says_what_is_wrong_with_a_place(void)
{
	struct snmp_peer peer;
	struct fail why;

	CHECK(peer_parse("10.1.7.20", &peer, &why) == -1);
	CHECK(strstr(why.text, "give an address and a port") != NULL);
	CHECK(peer_parse("10.1.7.20:0", &peer, &why) == -1);
	CHECK(peer_parse("plc-7:502", &peer, &why) == -1);
	CHECK(strstr(why.text, "is not an IP address") != NULL);
	CHECK(peer_parse("2001:db8::2:502", &peer, &why) == -1);
	CHECK(strstr(why.text, "\"[2001:db8::20]:502\"") != NULL);
	CHECK(peer_parse("[2001:db8::2]", &peer, &why) == -1);
	CHECK(peer_parse("[2001:db8::2]502", &peer, &why) == -1);
	CHECK(peer_parse("[2001:db8::2:502", &peer, &why) == -1);
	CHECK(peer_parse("[]:502", &peer, &why) == -1);
	CHECK(peer_parse("", &peer, &why) == -1);
	CHECK(peer_parse("[:1", &peer, &why) == -1);
	CHECK(peer_parse(":502", &peer, &why) == -1);
	CHECK(peer_parse("[fe80::9%lo]:502", &peer, &why) == -1);
	CHECK(strstr(why.text, "leave the interface out") != NULL);
}

static void
the_established_connection_counts_then_the_one_on_its_way(void)
{
	CHECK(peer_state_counts_more(5, 1) && peer_state_counts_more(5, 11));
	CHECK(!peer_state_counts_more(1, 5) && !peer_state_counts_more(5, 5));
	CHECK(peer_state_counts_more(3, 11) && !peer_state_counts_more(11, 3));
}

RUN_TESTS(TEST(reads_the_remote_end_of_the_table_of_rfc_4022),
	TEST(reads_the_remote_end_of_the_old_table),
	TEST(takes_ipv4_out_of_sockets_for_both_and_leaves_zones_out),
	TEST(refuses_what_is_no_index_of_a_connection),
	TEST(finds_the_place_that_is_looked_for_and_no_other),
	TEST(finds_a_place_by_ipv6_however_it_is_written),
	TEST(says_what_is_wrong_with_a_place),
	TEST(the_established_connection_counts_then_the_one_on_its_way))
