/* A host in C: passes requests through the library and says what came of them. tests/c_host.rs compiles and runs it. */
#include <modsecurity/intervention.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed = 0;
static char logged[4096];

#define EXPECT(what)                                                     \
    do {                                                                 \
        if (!(what)) {                                                   \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
            failed = 1;                                                  \
        }                                                                \
    } while (0)

static void take_line(void *data, const void *line) {
    (*(int *)data)++;
    snprintf(logged, sizeof logged, "%s", (const char *)line);
}

static Transaction *begin(ModSecurity *engine, RulesSet *rules, const char *uri, int *lines) {
    Transaction *transaction = msc_new_transaction(engine, rules, lines);
    EXPECT(msc_process_connection(transaction, "192.0.2.7", 40000, "192.0.2.1", 80) == 1);
    EXPECT(msc_process_uri(transaction, uri, "POST", "1.1") == 1);
    EXPECT(msc_add_request_header(transaction, (const unsigned char *)"Host", (const unsigned char *)"www.example") == 1);
    EXPECT(msc_add_n_request_header(transaction, (const unsigned char *)"Content-Type: x", 12,
                                    (const unsigned char *)"application/x-www-form-urlencoded; more", 33) == 1);
    EXPECT(msc_process_request_headers(transaction) == 1);
    return transaction;
}

/* The status that a request gets; 0: it passes. Checks who owns what. */
static int judge(Transaction *transaction) {
    ModSecurityIntervention intervention = {200, 0, NULL, NULL, 0};
    int status = 0;
    if (msc_intervention(transaction, &intervention)) {
        status = intervention.status;
        EXPECT(intervention.disruptive == 1);
        EXPECT(intervention.log != NULL && strstr(intervention.log, "ModSecurity: Access denied") != NULL);
        free(intervention.log);
        free(intervention.url);
        intervention.log = intervention.url = NULL;
        EXPECT(msc_intervention(transaction, &intervention) == 0);
    }
    return status;
}

static void exchange(ModSecurity *engine, RulesSet *rules) {
    int lines = 0;
    const char *body = "a=b&q=union+select";
    Transaction *transaction = begin(engine, rules, "/?w=1", &lines);
    EXPECT(lines == 1 && strncmp(logged, "ModSecurity: Warning. ", 22) == 0);
    EXPECT(judge(transaction) == 0);
    for (size_t at = 0; at < strlen(body); at++)
        EXPECT(msc_append_request_body(transaction, (const unsigned char *)body + at, 1) == 1);
    EXPECT(msc_get_request_body_length(transaction) == strlen(body));
    EXPECT(msc_process_request_body(transaction) == 1);
    EXPECT(judge(transaction) == 406);
    EXPECT(msc_update_status_code(transaction, 406) == 1);
    EXPECT(msc_process_logging(transaction) == 1);
    EXPECT(msc_process_logging(transaction) == 0);
    msc_transaction_cleanup(transaction);

    transaction = begin(engine, rules, "/", &lines);
    EXPECT(msc_process_request_body(transaction) == 1);
    EXPECT(msc_add_response_header(transaction, (const unsigned char *)"Content-Type",
                                   (const unsigned char *)"text/html") == 1);
    EXPECT(msc_process_response_headers(transaction, 200, "HTTP 1.1") == 1);
    EXPECT(msc_append_response_body(transaction, (const unsigned char *)"a secret", 8) == 1);
    EXPECT(msc_get_response_body_length(transaction) == 8);
    char *copy = (char *)msc_get_response_body(transaction);
    EXPECT(copy != NULL && strcmp(copy, "a secret") == 0);
    free(copy);
    EXPECT(msc_process_response_body(transaction) == 1);
    EXPECT(judge(transaction) == 502);
    msc_transaction_cleanup(transaction);
}

int main(void) {
    const char *error = NULL;
    ModSecurityIntervention intervention = {200, 0, NULL, NULL, 0};
    ModSecurity *engine = msc_init();
    RulesSet *outer = msc_create_rules_set(), *inner = msc_create_rules_set();
    EXPECT(strstr(msc_who_am_i(engine), "Fusewall") != NULL);
    msc_set_connector_info(engine, "a host in C");
    msc_set_log_cb(engine, take_line);
    EXPECT(msc_rules_add(outer,
                         "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n"
                         "SecRule ARGS:w \"@rx .\" \"id:1,phase:1,pass,log\"\n"
                         "SecRule ARGS:q \"@contains union\" \"id:2,phase:2,deny,status:406\"\n"
                         "SecRule RESPONSE_BODY \"@contains secret\" \"id:3,phase:4,deny,status:502\"\n"
                         "SecRule ARGS:u \"@rx .\" \"id:4,phase:1,redirect:https://www.example/away\"\n",
                         &error) == 4);
    EXPECT(msc_rules_add(inner, "SecRule ARGS \"@rx (\" \"id:5,phase:1,deny\"", &error) == -1);
    EXPECT(error != NULL && strstr(error, "Line: 1.") != NULL);
    msc_rules_error_cleanup(error);
    EXPECT(msc_rules_merge(inner, outer, &error) == 4);

    /* As nginx does it: what was compiled before serves in every worker. */
    pid_t worker = fork();
    exchange(engine, inner);
    if (worker == 0)
        _exit(failed);
    int status = 1;
    EXPECT(waitpid(worker, &status, 0) == worker && status == 0);

    int lines = 0;
    Transaction *transaction = begin(engine, inner, "/?u=1", &lines);
    /* A transaction outlives what it was made of. */
    EXPECT(msc_rules_cleanup(inner) == 0 && msc_rules_cleanup(outer) == 0);
    msc_cleanup(engine);
    EXPECT(msc_intervention(transaction, &intervention) == 1);
    EXPECT(intervention.status == 302 && strcmp(intervention.url, "https://www.example/away") == 0);
    msc_intervention_cleanup(&intervention);
    EXPECT(intervention.url == NULL && intervention.log == NULL);
    msc_transaction_cleanup(transaction);
    return failed;
}
