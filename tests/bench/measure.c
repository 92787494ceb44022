#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hammer.h"

uint64_t bench_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool proc_line(pid_t pid, const char *file, const char *prefix, char *line, int size)
{
    char path[64];
    bool found = false;
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    f = fopen(path, "re");
    while (f != NULL && !found && fgets(line, size, f) != NULL)
        found = strncmp(line, prefix, strlen(prefix)) == 0;
    if (f != NULL)
        (void)fclose(f);
    return found;
}

double bench_cpu_seconds(pid_t pid)
{
    char line[1024];
    unsigned long user, system;
    const char *behind;

    if (!proc_line(pid, "stat", "", line, sizeof line))
        return 0;
    behind = strrchr(line, ')');
    if (behind == NULL ||
        sscanf(behind + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

unsigned long bench_rss_kb(pid_t pid)
{
    char line[256];

    return proc_line(pid, "status", "VmRSS:", line, sizeof line) ? strtoul(line + 6, NULL, 10) : 0;
}

int bench_connect(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

pid_t bench_ask_pid(uint16_t port)
{
    static const char request[] = "GET /sleep/?duration=0s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    int fd = bench_connect(port);
    char answer[2048];
    const char *at;
    size_t size = 0;
    ssize_t n = 0;

    if (fd < 0)
        return 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1)
        while (size < sizeof answer - 1 && (n = recv(fd, answer + size, sizeof answer - 1 - size, 0)) > 0)
            size += (size_t)n;
    (void)close(fd);
    answer[size] = '\0';
    at = strstr(answer, "from pid ");
    return at != NULL ? (pid_t)strtol(at + 9, NULL, 10) : 0;
}
