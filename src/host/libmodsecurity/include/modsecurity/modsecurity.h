/*
 * Fusewall behind the C API of libmodsecurity 3: what hosts written for that library call, and what they can rely on.
 * Link with -lmodsecurity; the library's name is libmodsecurity.so.3.
 *
 * The order of calls. While a host starts: msc_init, msc_create_rules_set, msc_rules_add..., and msc_rules_merge where contexts
 * stand in each other. Then it may fork. For each request: msc_new_transaction, msc_process_connection, msc_process_uri,
 * msc_add_n_request_header, msc_process_request_headers, msc_append_request_body, msc_process_request_body, the response
 * likewise, msc_process_logging, msc_transaction_cleanup. After each msc_process_... and msc_append_... comes
 * msc_intervention. Phases that are left out run before the next one.
 *
 * Every function takes null pointers and handles of the wrong kind, and answers an error then. So it does if it comes too late:
 * what belongs to a phase cannot be told after it. No function throws, and none ends the process.
 *
 * Threads. A transaction belongs to one thread at a time. Rules sets and engines may be shared by several once they are complete.
 *
 * Memory. What a function hands over as a text is freed by the host with free(), or by the ..._cleanup function that is named.
 */
#ifndef FUSEWALL_MODSECURITY_H
#define FUSEWALL_MODSECURITY_H

#include <stddef.h>

/* The version of libmodsecurity whose functions are here. */
#define MODSECURITY_MAJOR "3"
#define MODSECURITY_MINOR "0"
#define MODSECURITY_PATCHLEVEL "15"
#define MODSECURITY_TAG ""
#define MODSECURITY_TAG_NUM "100"
#define MODSECURITY_VERSION MODSECURITY_MAJOR "." MODSECURITY_MINOR "." MODSECURITY_PATCHLEVEL MODSECURITY_TAG
#define MODSECURITY_VERSION_NUM 30150100
#define MODSECURITY_CHECK_VERSION(version) (MODSECURITY_VERSION_NUM <= (version))

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ModSecurity_t ModSecurity;
typedef struct RulesSet_t RulesSet;
/* As it was called before 3.0.5. */
typedef struct RulesSet_t Rules;
typedef struct Transaction_t Transaction;

/* Takes a line of the log: the pointer that came with the transaction, and a text (const char *) that is valid during the call. */
typedef void (*ModSecLogCb)(void *data, const void *line);

/* What is to become of a request. Put 200 into status and null into url and log before it is filled. */
typedef struct ModSecurityIntervention_t {
    int status;     /* of the answer */
    int pause;      /* milliseconds to wait before it; always 0 */
    char *url;      /* where to redirect the client to, or null; the host frees it */
    char *log;      /* the line for the error log; the host frees it */
    int disruptive; /* 1: the request goes no further */
} ModSecurityIntervention;

/* -- The engine -- */

/* Makes an engine; null if there is no memory. Starts no thread. */
ModSecurity *msc_init(void);
/* Who the engine is. The text is valid for ever. */
const char *msc_who_am_i(ModSecurity *engine);
/* Says who calls; the audit log names it. */
void msc_set_connector_info(ModSecurity *engine, const char *connector);
/* Says who takes the log lines of matches that do not end a request; null: nobody. They come during msc_process_... calls. */
void msc_set_log_cb(ModSecurity *engine, ModSecLogCb callback);
/* Gives the engine back. Transactions that have begun go on. */
void msc_cleanup(ModSecurity *engine);

/* -- Rules -- */

/* Makes a rules set without rules. */
RulesSet *msc_create_rules_set(void);
/*
 * These three add rules and answer how many, or -1. What is wrong with the rules is found at once: *error then is a line that names
 * file, line and column, and the rules set is as before. Chains count as one rule.
 */
int msc_rules_add(RulesSet *rules, const char *text, const char **error);
int msc_rules_add_file(RulesSet *rules, const char *path, const char **error);
/* Always -1: rules are not fetched. */
int msc_rules_add_remote(RulesSet *rules, const char *key, const char *uri, const char **error);
/*
 * Nests rules in those of the context around them, which stay as they are, and compiles the whole; a host that forks does so
 * before. The rules of the inner context run first, its settings count more, and its removals and updates reach those around it.
 * Answers how many rules came to it, or -1 and *error. Equal rules are compiled once, however many contexts have them.
 */
int msc_rules_merge(RulesSet *rules, RulesSet *around, const char **error);
/* Writes the rules to the standard output, one a line. */
void msc_rules_dump(RulesSet *rules);
/* Frees an error text. */
void msc_rules_error_cleanup(const char *error);
/* Gives a rules set back; answers 0. Transactions that have begun go on. */
int msc_rules_cleanup(RulesSet *rules);

/* -- Requests. Functions that answer an int: 1 it was done, 0 it was not. -- */

/*
 * Begins a transaction with the rules as they are now. Null if there is none to be had: msc_intervention refuses it then. Rules
 * that nobody has merged are compiled by the first transaction. log_data comes back with each log line.
 */
Transaction *msc_new_transaction(ModSecurity *engine, RulesSet *rules, void *log_data);
/* The same, with an id of the host's choice. */
Transaction *msc_new_transaction_with_id(ModSecurity *engine, RulesSet *rules, char *id, void *log_data);

/* Both ends of the connection: IP addresses as text, ports. 0 for anything that is none, such as unix sockets. */
int msc_process_connection(Transaction *transaction, const char *client, int client_port, const char *server,
                           int server_port);
/* The request line: target as received, method, version such as 1.1. */
int msc_process_uri(Transaction *transaction, const char *uri, const char *method, const char *version);
/* The host name that log lines show, if it is another than that of the request. */
int msc_set_request_hostname(Transaction *transaction, const unsigned char *hostname);
int msc_add_request_header(Transaction *transaction, const unsigned char *name, const unsigned char *value);
int msc_add_n_request_header(Transaction *transaction, const unsigned char *name, size_t name_bytes,
                             const unsigned char *value, size_t value_bytes);
/* Runs phase 1. */
int msc_process_request_headers(Transaction *transaction);
/* A piece of the body. 0: it, or its end, is over SecRequestBodyLimit and not inspected. */
int msc_append_request_body(Transaction *transaction, const unsigned char *body, size_t bytes);
/* The body stands in a file. 0: over the limit, or the file cannot be read, which rules see as REQBODY_ERROR. */
int msc_request_body_from_file(Transaction *transaction, const char *path);
/* Runs phase 2. */
int msc_process_request_body(Transaction *transaction);

int msc_add_response_header(Transaction *transaction, const unsigned char *name, const unsigned char *value);
int msc_add_n_response_header(Transaction *transaction, const unsigned char *name, size_t name_bytes,
                              const unsigned char *value, size_t value_bytes);
/* Runs phase 3. The version is written as 1.1, HTTP/1.1 or HTTP 1.1. */
int msc_process_response_headers(Transaction *transaction, int status, const char *version);
/* A piece of the body. 0: it, or its end, is over SecResponseBodyLimit and not inspected. */
int msc_append_response_body(Transaction *transaction, const unsigned char *body, size_t bytes);
/* Runs phase 4. */
int msc_process_response_body(Transaction *transaction);

/* What was inspected of the bodies. The text is a copy, to be freed by the host. */
const char *msc_get_response_body(Transaction *transaction);
size_t msc_get_response_body_length(Transaction *transaction);
size_t msc_get_request_body_length(Transaction *transaction);

/*
 * Whether the request is to be refused; fills *intervention then. Each refusal is told once. Without a transaction, or with one
 * in which the engine has failed, the answer is always a refusal with status 500.
 */
int msc_intervention(Transaction *transaction, ModSecurityIntervention *intervention);
/* Frees the texts of an intervention. */
void msc_intervention_cleanup(ModSecurityIntervention *intervention);

/* The status that the client got in the end, for the audit log. */
int msc_update_status_code(Transaction *transaction, int status);
/* Runs phase 5 and writes the audit record. Once. */
int msc_process_logging(Transaction *transaction);
/* Gives a transaction back. */
void msc_transaction_cleanup(Transaction *transaction);

#ifdef __cplusplus
}
#endif

#endif
