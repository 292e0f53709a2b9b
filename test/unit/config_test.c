/*
 * config_test.c
 *		Files, environment and command line, good and bad.  Prints TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "http.h"
#include "ini.h"
#include "names.h"

static int	count;
static int	failures;
static char dir[] = "/tmp/config_test.XXXXXX";

static void
ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failures += !good;
}

/* Tells what was said instead when it is not this. */
static void
says(char *error, const char *wanted, const char *what)
{
	bool		good = wanted == NULL ? error == NULL :
		error != NULL && strstr(error, wanted) != NULL;

	ok(good, what);
	if (!good)
		printf("# said: %s\n", error ? error : "nothing");
	free(error);
}

#define MINIMUM "[postgres]\nconninfo = dbname=app\nslot = s\n" \
	"[kafka]\nbootstrap.servers = k:9092\n"

/* Reads and checks a text; returns the error. */
static char *
read_text(struct config *cfg, const char *text)
{
	char	   *error;

	config_init(cfg);
	error = config_read(cfg, "x.conf", text, strlen(text));
	return error ? error : config_check(cfg);
}

static void
refuses(const char *text, const char *wanted, const char *what)
{
	struct config cfg;

	says(read_text(&cfg, text), wanted, what);
	config_free(&cfg);
}

static void
test_good(void)
{
	struct config cfg;

	says(read_text(&cfg, MINIMUM), NULL, "five lines are enough");
	ok(strcmp(cfg.conninfo, "dbname=app") == 0, "conninfo keeps its \"=\"");
	ok(cfg.max_in_flight == 32 * 1024 * 1024, "default of max_in_flight");
	ok(cfg.sink == SINK_KAFKA && cfg.topics == TOPICS_REQUIRE &&
	   cfg.shutdown_timeout == 30 && cfg.release_after == 10 &&
	   !cfg.allow_plaintext, "other defaults");
	ok(*cfg.control == '\0' && cfg.snapshot_connections == 2 &&
	   cfg.snapshot_chunk_rows == 10000 && cfg.snapshot_rate == 0,
	   "defaults of a snapshot");
	ok(cfg.plugin_count == 0, "the plugin keeps its own defaults");
	config_free(&cfg);

	says(read_text(&cfg, "\xEF\xBB\xBF# c\r\n; c\r\n\r\n[postgres]\r\n"
				   "conninfo =  host=a b='c # d' ; e\t \r\nslot=s\r\n"
				   "[wal2kafka]\nsink = file:/a b\nmax_in_flight = 2 MB\n"
				   "topics = create\nlog_format = json\nlog_level=debug\n"
				   "allow_plaintext = on\ntruncate = emit\nfields=none\n"
				   "include_xid = true\nmax_record = 2MB"),
		 NULL, "BOM, CRLF, comments, no last newline");
	ok(strcmp(cfg.conninfo, "host=a b='c # d' ; e") == 0,
	   "no comment within a line, blanks trimmed");
	ok(cfg.sink == SINK_FILE && strcmp(cfg.sink_dir, "/a b") == 0,
	   "sink with a folder");
	ok(cfg.max_in_flight == 2 * 1024 * 1024 && cfg.topics == TOPICS_CREATE &&
	   cfg.log_format == 1 && cfg.log_level == 3 && cfg.allow_plaintext,
	   "numbers and words");
	ok(cfg.plugin_count == 4 && strcmp(cfg.plugin[0].name, "truncate") == 0 &&
	   strcmp(cfg.plugin[1].value, "none") == 0 &&
	   strcmp(cfg.plugin[2].value, "on") == 0 &&
	   strcmp(cfg.plugin[3].value, "2097152") == 0, "keys for the plugin");
	config_free(&cfg);

	says(read_text(&cfg, MINIMUM "[route public.users]\ntopic = users.0\n"
				   "[route  \"A.b\".\"c\"\"]\" ]\nkey = \"x,y\", Z\n"), NULL,
		 "routes");
	ok(cfg.route_count == 2 && strcmp(cfg.routes[0].topic, "users.0") == 0 &&
	   cfg.routes[0].key == NULL && cfg.routes[1].topic == NULL &&
	   strcmp(cfg.routes[1].table, "\"A.b\".\"c\"\"]\"") == 0,
	   "their tables as written");
	config_free(&cfg);
}

static void
test_keys(void)
{
	refuses("[postgres]\nslott = s\n", "x.conf:2: unknown key \"slott\" in "
			"[postgres]; the nearest is \"slot\"", "unknown key");
	refuses("[kafka]\na = b\n[postgres]\nsink = kafka\n",
			"x.conf:4: unknown key \"sink\" in [postgres]; it belongs in "
			"[wal2kafka]", "key of another section");
	refuses("[postgers]\n", "x.conf:1: unknown section [postgers]; the "
			"nearest is [postgres]", "unknown section");
	refuses("[route]\ntopic = a\n", "unknown section [route]",
			"route without a table");
	refuses("[postgres]\nslot = a\nconninfo = x\n\nslot = b\n",
			"x.conf:5: key \"slot\" of [postgres] is repeated; it was set on "
			"line 2", "repeated key");
	refuses("[kafka]\nlinger.ms=1\n[kafka]\n", "x.conf:3: section [kafka] is "
			"repeated; it began on line 1", "repeated section");
	refuses("slot = a\n", "x.conf:1: key \"slot\" comes before any section",
			"key before any section");
	refuses("[kafka]\nsasl.password secret\n", "x.conf:2: line is neither",
			"line without =");
	refuses("[kafka]\n = a\n", "x.conf:2: no key", "value without key");
	refuses("[kafka\n", "x.conf:1: section does not end", "half a section");
	refuses("[route t]\ntopik = a\n", "unknown key \"topik\" in [route t]; "
			"the nearest is \"topic\"", "unknown key of a route");
}

static void
test_values(void)
{
	static const char *const bad[] = {"", "-1", "0", "1", "5s", "1e3",
		"0x10", "+5MB", "99999999999999999999", "16 QB", "5GB", "512kB",
	"9007199254740993GB", "mb"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		char		text[200];

		snprintf(text, sizeof(text), "[wal2kafka]\nmax_in_flight = %s\n",
				 bad[i]);
		refuses(text, "x.conf:2: \"max_in_flight\" cannot be \"", bad[i]);
	}
	refuses("[wal2kafka]\nshutdown_timeout = 1.5\n",
			"\"shutdown_timeout\" cannot be \"1.5\"; it must be a number from "
			"0 to 86400", "a bad number names the range");
	refuses("[wal2kafka]\nrelease_after = 0\n", "from 1 to 86400",
			"the server is never let go at once");
	refuses("[wal2kafka]\nshutdown_timeout = 86401\n", "from 0 to 86400",
			"a number out of range");
	refuses("[wal2kafka]\nsnapshot_connections = 17\n", "from 1 to 16",
			"too many connections for a snapshot");
	refuses("[wal2kafka]\nsnapshot_chunk_rows = 99\n",
			"from 100 to 1000000", "too few rows in a chunk");
	refuses(MINIMUM "[wal2kafka]\ncontrol = w.sock\n",
			"\"control\" cannot be \"w.sock\"; it must be none, or an "
			"absolute path of at most 107 bytes", "a relative socket");
	refuses(MINIMUM "[wal2kafka]\nstate = a/b\n",
			"\"state\" cannot be \"a/b\"; it must be a topic's name",
			"a state that is no topic");
	refuses(MINIMUM "[route a]\ntopic = wal2kafka.state\n",
			"[route a]: \"topic\" cannot be \"wal2kafka.state\"",
			"a route to the state record");
	refuses(MINIMUM "[wal2kafka]\nstate = none\n"
			"[route a]\ntopic = wal2kafka.state\n", NULL,
			"a topic of that name, when none is kept");
	refuses(MINIMUM "[wal2kafka]\nstate = own\nmessage_topics = a, own\n",
			"\"message_topics\" cannot list \"own\"",
			"messages to the state record");
	refuses(MINIMUM "[wal2kafka]\nmessage_topics = wal2kafka.*\n", NULL,
			"a glob may match it");
	refuses("[wal2kafka]\ntopics = some\n",
			"\"topics\" cannot be \"some\"; it must be require|create",
			"a bad word names the words");
	refuses("[wal2kafka]\ntopics = requir\n", "\"topics\" cannot be",
			"part of a word");
	refuses("[wal2kafka]\nsink = file:\n", "\"sink\" cannot be \"file:\"",
			"sink without a folder");
	refuses("[wal2kafka]\nallow_plaintext = maybe\n", "yes|no", "bad boolean");
	refuses("[wal2kafka]\ntruncate = ask\n", "x.conf:2: \"truncate\" cannot "
			"be \"ask\"; it must be skip|emit|halt", "option of the plugin");
	refuses("[wal2kafka]\nmax_record = 1GB\n", "\"max_record\" cannot",
			"a record too large");
	refuses(MINIMUM "[wal2kafka]\ntopic_partitions = 0\n",
			"\"topic_partitions\" cannot be \"0\"", "no partitions");
}

static void
test_http(void)
{
	static const char *const bad[] = {
		"", "yes", "0", "65536", "99999999", "+80", "80x", ":80",
		"localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "1.2.3:80",
		"::1:80", "[::1]", "[::1]:0", "[::1:80", "::1]:80", "[127.0.0.1]:80",
		"[]:80",
		"[1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4:5:6:7:8:9]:80",
	};
	static const char *const good[] = {
		"none", "1", "9187", "65535", "0.0.0.0:9187", "[::]:9187",
		"[fe80::1:2:3]:80",
		"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:1",
	};
	char		text[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		snprintf(text, sizeof(text), MINIMUM "[wal2kafka]\nhttp = %s\n",
				 bad[i]);
		refuses(text, "\"http\" cannot be \"", bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		snprintf(text, sizeof(text), MINIMUM "[wal2kafka]\nhttp = %s\n",
				 good[i]);
		refuses(text, i == 0 || http_is_built() ? NULL :
				"built without libmicrohttpd", good[i]);
	}
}

static void
test_required(void)
{
	refuses("", "\"conninfo\" of section [postgres] is missing; set it there "
			"or in WAL2KAFKA_POSTGRES_CONNINFO", "empty file");
	refuses("[postgres]\nconninfo = a\n", "\"slot\" of section [postgres]",
			"no slot");
	refuses("[postgres]\nconninfo = a\nslot = s\n",
			"\"bootstrap.servers\" of section [kafka] is missing",
			"no section kafka");
	refuses("[postgres]\nconninfo = a\nslot = s\n[wal2kafka]\nsink=stdout\n",
			NULL, "stdout needs no broker");
	refuses(MINIMUM "test.mock.num.brokers=1\n",
			"test.mock.num.brokers is not allowed", "a broker of our own");
	refuses("[postgres]\nconninfo = a\nslot = My-Slot\n",
			"\"slot\" cannot be \"My-Slot\"", "slot's name");
	refuses("[postgres]\nconninfo = a\nslot = s\npublication = a,,b\n",
			"\"publication\" cannot be \"a,,b\"", "list of publications");
	refuses("[postgres]\nconninfo = a\nslot = s\ntopic_prefix = a b\n",
			"\"topic_prefix\" cannot be", "prefix");
	refuses("[postgres]\nconninfo = a\nslot = s\npublication_tables = all\n",
			"\"publication\" is not", "tables of no publication");
}

static void
test_guarantee(void)
{
	refuses("[wal2kafka]\nprocessing_guarantee = once\n",
			"must be at_least_once|exactly_once", "guarantee");
	refuses("[postgres]\nconninfo = a\nslot = s\n[wal2kafka]\nsink=stdout\n"
			"processing_guarantee = exactly_once\n",
			"another \"sink\" than kafka", "exactly once without Kafka");
	refuses("[postgres]\nconninfo = a\nslot = s\n[kafka]\n"
			"bootstrap.servers = b\ntransaction.timeout.ms = 5000\n"
			"[wal2kafka]\nprocessing_guarantee = exactly_once\n",
			"transaction.timeout.ms cannot be \"5000\"; it must be a number "
			"from 10000 to 900000", "timeout of transactions");
}

static void
test_routes(void)
{
	refuses(MINIMUM "[wal2kafka]\nmessage_topics = out,,x\n",
			"\"message_topics\" cannot be \"out,,x\"",
			"a topic without a name");
	refuses(MINIMUM "[wal2kafka]\nmessage_topics = out;x\n",
			"\"message_topics\" cannot be \"out;x\"", "an illegal topic");
	refuses(MINIMUM "[route a.b.c]\ntopic = t\n", "[route a.b.c]: not a table",
			"three names");
	refuses(MINIMUM "[route \"a]\ntopic = t\n", "not a table",
			"quote not closed");
	refuses(MINIMUM "[route a]\n", "[route a] sets neither", "empty route");
	refuses(MINIMUM "[route a]\ntopic = t t\n",
			"[route a]: \"topic\" cannot be \"t t\"", "illegal topic");
	refuses(MINIMUM "[route a]\nkey = b c\n", "[route a]: \"key\" cannot be",
			"illegal key");
	refuses(MINIMUM "[route a]\nkey =\n", "\"key\" cannot be", "empty key");
	refuses(MINIMUM "[route a]\ntopic=t\n[route a]\ntopic=t\n",
			"x.conf:8: section [route a] is repeated; it began on line 6",
			"repeated route");
}

/* --- files ----------------------------------------------------------- */

static char *
path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static const char *
write_file(const char *name, const char *text, size_t len, unsigned mode)
{
	FILE	   *to = fopen(path_of(name), "w");

	fwrite(text, 1, len, to);
	fclose(to);
	chmod(path_of(name), mode);
	return path_of(name);
}

static void
loads(const char *path, const char *wanted, const char *what)
{
	struct config cfg;

	says(config_load(&cfg, path, NULL), wanted, what);
	config_free(&cfg);
}

static void
loads_text(const char *text, unsigned mode, const char *wanted,
		   const char *what)
{
	loads(write_file("a.conf", text, strlen(text), mode), wanted, what);
}

static void
test_files(void)
{
	char	   *big = malloc(INI_MAX_FILE + 2);

	memset(big, '\n', INI_MAX_FILE + 2);
	loads(path_of("none"), "could not open", "no such file");
	loads(dir, "not a regular file", "a folder");
	loads("/dev/zero", "not a regular file", "a device");
	mkfifo(path_of("pipe"), 0600);
	loads(path_of("pipe"), "not a regular file", "a pipe does not hang");
	loads(write_file("a.conf", big, INI_MAX_FILE + 1, 0600),
		  "file is larger than", "a file over 1 MiB");
	memset(big, 'x', INI_MAX_LINE + 1);
	big[INI_MAX_LINE + 1] = '\n';
	loads(write_file("a.conf", big, INI_MAX_LINE + 2, 0600),
		  ":1: line is longer than", "a long line");
	loads(write_file("a.conf", "[kafka]\na\0=b\n", 13, 0600),
		  ":2: line holds a NUL byte", "a NUL byte");
	loads(write_file("a.conf", "\x7f" "ELF\x02\x01", 6, 0600), ":1: line is",
		  "a program");
	free(big);

	loads_text(MINIMUM, 0644, NULL, "anybody may read what holds no secret");
	loads_text(MINIMUM, 0666, "chmod o-w", "but not change it");
	loads_text(MINIMUM "sasl.password = x\n", 0644, "chmod 6", "secret");
	loads_text(MINIMUM "sasl.password = x\n", 0600, NULL, "secret, 0600");
	loads_text("[postgres]\nconninfo = a=b  password = x\nslot = s\n"
			   "[kafka]\nbootstrap.servers = a\n", 0644, "chmod 6",
			   "password in the conninfo");
	loads_text("[postgres]\nconninfo = postgresql://a:b@c/d\nslot = s\n"
			   "[kafka]\nbootstrap.servers = a\n", 0644, "chmod 6",
			   "password in a URI");
	loads_text("[postgres]\nconninfo = postgresql://a@c:5432/d\nslot = s\n"
			   "[kafka]\nbootstrap.servers = a\n", 0644, NULL,
			   "URI without a password");
}

/* --- environment and command line ------------------------------------ */

static void
test_environment(void)
{
	struct config cfg;

	write_file("secret", "p q\n\n", 5, 0600);
	setenv("WAL2KAFKA_KAFKA_SASL_PASSWORD_FILE", path_of("secret"), 1);
	setenv("WAL2KAFKA_POSTGRES_SLOT", "other", 1);
	setenv("WAL2KAFKA_WAL2KAFKA_MAX_IN_FLIGHT", "1GB", 1);
	setenv("WAL2KAFKA_WAL2KAFKA_INCLUDE_XID", "on", 1);
	setenv("WAL2KAFKA_KAFKA_BOOTSTRAP_SERVERS", "env:1", 1);
	setenv("WAL2KAFKA_PORT_80_TCP", "set by an orchestrator", 1);
	says(config_load(&cfg, write_file("a.conf", MINIMUM, strlen(MINIMUM),
									  0644), NULL), NULL, "environment");
	ok(strcmp(cfg.slot, "other") == 0 && cfg.max_in_flight == 1 << 30 &&
	   strcmp(config_property(&cfg, "bootstrap.servers"), "env:1") == 0 &&
	   cfg.plugin_count == 1, "it wins over the file");
	ok(strcmp(config_property(&cfg, "sasl.password"), "p q\n") == 0,
	   "a value from a file loses one newline");
	config_free(&cfg);

	setenv("WAL2KAFKA_KAFKA_SASL_PASSWORD", "x", 1);
	loads(path_of("a.conf"), "both WAL2KAFKA_KAFKA_SASL_PASSWORD and",
		  "value and file");
	unsetenv("WAL2KAFKA_KAFKA_SASL_PASSWORD");
	setenv("WAL2KAFKA_KAFKA_SASL_PASSWORD_FILE", "/none", 1);
	loads(path_of("a.conf"), "WAL2KAFKA_KAFKA_SASL_PASSWORD_FILE: could not",
		  "no such file");
	unsetenv("WAL2KAFKA_KAFKA_SASL_PASSWORD_FILE");
	setenv("WAL2KAFKA_POSTGRES_SLOTT", "x", 1);
	loads(path_of("a.conf"), "environment variable WAL2KAFKA_POSTGRES_SLOTT: "
		  "unknown key \"slott\" in [postgres]; the nearest is \"slot\"",
		  "unknown variable");
	unsetenv("WAL2KAFKA_POSTGRES_SLOTT");
	setenv("WAL2KAFKA_WAL2KAFKA_TOPICS", "x", 1);
	loads(path_of("a.conf"), "WAL2KAFKA_WAL2KAFKA_TOPICS: \"topics\" cannot",
		  "bad value");
	unsetenv("WAL2KAFKA_WAL2KAFKA_TOPICS");
	setenv("WAL2KAFKA_POSTGRES_CONNINFO", "dbname=e", 1);
	if (access(CONFIG_DEFAULT_PATH, F_OK) != 0)
		loads(NULL, NULL, "no file at all");
}

static void
test_properties(void)
{
	const char *const good[] = {"linger.ms=7", "client.id=a=b", NULL};
	const char *const secret[] = {"sasl.password=x", NULL};
	const char *const bad[] = {"linger.ms", NULL};
	struct config cfg;

	says(config_load(&cfg, path_of("a.conf"), good), NULL, "-X");
	ok(strcmp(config_property(&cfg, "linger.ms"), "7") == 0 &&
	   strcmp(config_property(&cfg, "client.id"), "a=b") == 0,
	   "properties of the command line");
	config_free(&cfg);
	says(config_load(&cfg, path_of("a.conf"), secret),
		 "-X sasl.password: everybody", "no secret on the command line");
	config_free(&cfg);
	says(config_load(&cfg, path_of("a.conf"), bad),
		 "-X \"linger.ms\": not of the form", "-X without a value");
	config_free(&cfg);
}

/* --- names ----------------------------------------------------------- */

static void
names_are(const char *text, char separator, const char *wanted)
{
	struct names names;
	char	   *joined;

	if (!names_parse(&names, text, separator))
	{
		ok(wanted == NULL, text);
		return;
	}
	joined = names_join(&names, "|");
	ok(wanted != NULL && strcmp(joined, wanted) == 0, text);
	free(joined);
	names_free(&names);
}

static void
test_names(void)
{
	names_are("Users", '.', "\"users\"");
	names_are("public . \"Us.\"\"ers\"", '.', "\"public\"|\"Us.\"\"ers\"");
	names_are("a, b ,\"c,d\"", ',', "\"a\"|\"b\"|\"c,d\"");
	names_are("", ',', NULL);
	names_are("a,", ',', NULL);
	names_are("a b", ',', NULL);
	names_are("\"a", ',', NULL);
	names_are("\"\"", ',', NULL);
	names_are("a\"b\"", ',', NULL);
	names_are("a.b", ',', NULL);
	names_are("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			  ',', NULL);
}

int
main(void)
{
	if (mkdtemp(dir) == NULL)
		return 1;
	test_good();
	test_keys();
	test_values();
	test_http();
	test_required();
	test_guarantee();
	test_routes();
	test_files();
	test_environment();
	test_properties();
	test_names();
	printf("1..%d\n", count);

	unlink(path_of("a.conf"));
	unlink(path_of("secret"));
	unlink(path_of("pipe"));
	rmdir(dir);
	return failures > 0;
}
