/* A library with libmodsecurity's functions, for tests: what it does follows from the target of a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct intervention { int status; int pause; char *url; char *log; int disruptive; };
struct transaction { int denies; };

void *msc_init(void) { return malloc(1); }
const char *msc_who_am_i(void *engine) { (void)engine; return "a library for tests"; }
void msc_set_log_cb(void *engine, void (*log)(void *, const void *)) { (void)engine; (void)log; }
void msc_cleanup(void *engine) { free(engine); }
void *msc_create_rules_set(void) { return malloc(1); }

int msc_rules_add_file(void *rules, const char *path, const char **error)
{
    char text[4096] = {0};
    FILE *file = fopen(path, "r");
    (void)rules;
    if (file != NULL) {
        if (fread(text, 1, sizeof text - 1, file) == 0)
            text[0] = 0;
        fclose(file);
    }
    if (strstr(text, "refuse-me")) {
        *error = strdup("a rule that is refused");
        return -1;
    }
    return 1;
}

int msc_rules_add(void *rules, const char *text, const char **error) { (void)rules; (void)text; (void)error; return 1; }
int msc_rules_cleanup(void *rules) { free(rules); return 1; }
void *msc_new_transaction(void *e, void *r, void *d) { (void)e; (void)r; (void)d; return calloc(1, sizeof(struct transaction)); }
int msc_process_connection(void *t, const char *c, int p, const char *s, int q) { (void)t; (void)c; (void)p; (void)s; (void)q; return 1; }

int msc_process_uri(void *t, const char *uri, const char *method, const char *version)
{
    (void)method;
    (void)version;
    if (strstr(uri, "crash"))
        abort();
    while (strstr(uri, "hang"))
        pause();
    /* What a library prints must not be taken for an answer. */
    puts("{\"error\": \"printed by the library\"}");
    fflush(stdout);
    ((struct transaction *)t)->denies = strstr(uri, "attack") != NULL;
    return 1;
}

int msc_add_n_request_header(void *t, const unsigned char *n, size_t a, const unsigned char *v, size_t b) { (void)t; (void)n; (void)a; (void)v; (void)b; return 1; }
int msc_process_request_headers(void *t) { (void)t; return 1; }
int msc_append_request_body(void *t, const unsigned char *b, size_t n) { (void)t; (void)b; (void)n; return 1; }
int msc_process_request_body(void *t) { (void)t; return 1; }
int msc_add_n_response_header(void *t, const unsigned char *n, size_t a, const unsigned char *v, size_t b) { (void)t; (void)n; (void)a; (void)v; (void)b; return 1; }
int msc_process_response_headers(void *t, int s, const char *p) { (void)t; (void)s; (void)p; return 1; }
int msc_append_response_body(void *t, const unsigned char *b, size_t n) { (void)t; (void)b; (void)n; return 1; }
int msc_process_response_body(void *t) { (void)t; return 1; }
int msc_process_logging(void *t) { (void)t; return 1; }

int msc_intervention(void *t, struct intervention *it)
{
    if (!((struct transaction *)t)->denies)
        return 0;
    it->status = 403;
    it->disruptive = 1;
    it->log = strdup("ModSecurity: Access denied with code 403 (phase 1). [id \"10\"]");
    return 1;
}

void msc_transaction_cleanup(void *t) { free(t); }
