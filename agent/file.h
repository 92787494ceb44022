/* file.h - files that are whole or not there: written aside, fsync, rename, fsync of the folder. */
#ifndef AGENT_FILE_H
#define AGENT_FILE_H

#include <jansson.h>
#include <stddef.h>

#include "common/err.h"

/* A small file as text, NUL-terminated and cut to size - 1 bytes. */
bool file_read_small(const char *path, char *text, size_t size, struct err *err);

/* Make a folder (0700) unless it is there; only the last part of the path may be missing. */
bool file_make_folder(const char *path, struct err *err);

/* Put a file or a rename in this folder on the disk. */
bool file_sync_folder_of(const char *path, struct err *err);

bool file_write_all(int fd, const void *bytes, size_t size, struct err *err);

/* Durable when it returns true; the old file or the new one after a crash, never a mixture. */
bool file_write_json(const char *path, const json_t *json, struct err *err);
/* *json = NULL and true where there is no such file; anything that is no JSON object is an error, a link too. */
bool file_read_json(const char *path, json_t **json, struct err *err);

#endif
