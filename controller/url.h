/* url.h - percent-encoding of a part of an URL (RFC 3986, 2.1). */
#ifndef CONTROLLER_URL_H
#define CONTROLLER_URL_H

/* `text` with every byte encoded but letters, digits, "-._~" and those in `keep`. The caller frees it. */
char *url_encode(const char *text, const char *keep);

#endif
