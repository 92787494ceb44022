/* http_status.h - the HTTP statuses of good answers; those of refusals stand in wire.h. */
#ifndef AGENT_HTTP_STATUS_H
#define AGENT_HTTP_STATUS_H

enum http_status { HTTP_OK = 200, HTTP_CREATED = 201, HTTP_ACCEPTED = 202 };

#endif
