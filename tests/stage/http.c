#include "tests/stage/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/stage/state.h"

#define HTTP_LIMIT_MS 30000
#define HTTP_BODY_MAX (8U * 1024 * 1024)

struct text {
    char *bytes;
    size_t size;
};

static size_t take(char *from, size_t one, size_t n, void *ctx)
{
    struct text *t = ctx;
    size_t size = one * n;
    char *more;

    if (t->size + size > HTTP_BODY_MAX || (more = realloc(t->bytes, t->size + size + 1)) == NULL)
        return 0;
    t->bytes = more;
    memcpy(t->bytes + t->size, from, size);
    t->size += size;
    t->bytes[t->size] = '\0';
    return size;
}

static const char *keep_text(struct stage *s, struct text *t)
{
    return t->bytes != NULL ? stage_keep(s, t->bytes, free) : "";
}

static void free_json(void *json)
{
    json_decref(json);
}

static struct curl_slist *make_headers(struct stage *s, const char *headers)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    char *text = headers != NULL ? (char *)(uintptr_t)stage_text(s, "%s", headers) : NULL, *rest = text, *line;

    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
        if (line[0] != '\0')
            list = curl_slist_append(list, line);
    return list;
}

static void set_tls(CURL *curl, const struct stage_tls *tls)
{
    curl_easy_setopt(curl, CURLOPT_CAINFO, tls->ca);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* else the system's authorities are read for each connection, too */
    curl_easy_setopt(curl, CURLOPT_SSLCERT, tls->cert);
    curl_easy_setopt(curl, CURLOPT_SSLKEY, tls->key);
}

struct stage_answer *stage_https(struct stage *s, const struct stage_tls *tls, const char *connect, const char *method,
                                 const char *url, const char *headers, const void *body, size_t body_size)
{
    struct stage_answer *a = stage_alloc(s, sizeof *a);
    struct text got = {0}, head = {0};
    struct curl_slist *list = make_headers(s, headers), *to = NULL;
    CURL *curl = curl_easy_init();
    CURLcode rc;
    long status = 0;

    if (curl == NULL || list == NULL)
        abort();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)stage_limit_ms(s, HTTP_LIMIT_MS));
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &head);
    if (connect != NULL)
        to = curl_slist_append(NULL, stage_text(s, "::%s", connect));
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, to);
    if (tls != NULL)
        set_tls(curl, tls);
    rc = curl_easy_perform(curl);
    if (rc == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    curl_slist_free_all(list);
    curl_slist_free_all(to);
    a->status = (int)status;
    a->error = rc == CURLE_OK ? "" : curl_easy_strerror(rc);
    a->body_size = got.size;
    a->body = keep_text(s, &got);
    a->headers = keep_text(s, &head);
    a->json = json_loadb(a->body, a->body_size, JSON_REJECT_DUPLICATES, NULL);
    if (a->json != NULL)
        (void)stage_keep(s, a->json, free_json);
    return a;
}

struct stage_answer *stage_http(struct stage *s, const char *method, const char *url, const char *headers,
                                const char *body)
{
    return stage_https(s, NULL, NULL, method, url, headers, body, body != NULL ? strlen(body) : 0);
}

const char *stage_header(struct stage *s, const struct stage_answer *answer, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = answer->headers; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            line += strspn(line, " \t");
            return stage_text(s, "%.*s", (int)strcspn(line, "\r\n"), line);
        }
    }
    return NULL;
}

/* ---- JSON by path */

json_t *stage_json_find(const json_t *json, const char *path)
{
    char key[128];

    while (json != NULL && *path != '\0') {
        size_t n = strcspn(path, ".");

        if (n >= sizeof key)
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10)) : json_object_get(json, key);
        path += n + (path[n] == '.');
    }
    return (json_t *)(uintptr_t)json;
}

static void free_text(void *text)
{
    free(text);
}

static const char *show(struct stage *s, const json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    return text != NULL ? stage_keep(s, text, free_text) : "no JSON at all";
}

json_t *stage_json(struct stage *s, const json_t *json, const char *path)
{
    json_t *found = stage_json_find(json, path);

    if (found == NULL)
        stage_fail(s, "there is no member %s in %s", path, show(s, json));
    return found;
}

json_int_t stage_json_int(struct stage *s, const json_t *json, const char *path)
{
    json_t *found = stage_json(s, json, path);

    if (!json_is_integer(found))
        stage_fail(s, "the member %s is no integer in %s", path, show(s, json));
    return json_integer_value(found);
}

bool stage_json_bool(struct stage *s, const json_t *json, const char *path)
{
    json_t *found = stage_json(s, json, path);

    if (!json_is_boolean(found))
        stage_fail(s, "the member %s is no boolean in %s", path, show(s, json));
    return json_is_true(found);
}

const char *stage_json_string(struct stage *s, const json_t *json, const char *path)
{
    json_t *found = stage_json(s, json, path);

    if (!json_is_string(found))
        stage_fail(s, "the member %s is no string in %s", path, show(s, json));
    return json_string_value(found);
}
