/* A fake engine with minimal CPU time, for benches of the gateways in front of it.
 *
 *     upstream FOLDER...
 *
 * Each folder is a shape of responses. Its files are responses by path, with `_` for `/`
 * (`_v1_chat_completions`), and two event streams: `stream`, and `stream_usage` for requests with
 * usage. The port on 127.0.0.1 is printed to stdout. GET /_shape/NAME and /_pace/MICROSECONDS
 * switch the shape and the pace; both, like /_chats, return the number of chats received so far.
 *
 * One thread, epoll, keep-alive. All streams advance together, like an engine's batch: each step
 * writes one event of each stream and returns to epoll. The pace is the interval between steps.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SHAPES = 8, MAX_REPLIES = 16, MAX_EVENTS = 128, MAX_CLIENTS = 65536 };

typedef struct { char *data; size_t size; } Bytes;
typedef struct { char path[64]; Bytes reply; } Reply;
typedef struct { Bytes pieces[MAX_EVENTS]; int count; } Stream;
typedef struct {
    const char *name;
    Reply replies[MAX_REPLIES];
    int count;
    Stream plain, usage;
} Shape;

typedef struct {
    char *in;
    size_t used, room;
    Bytes out;            /* not yet accepted by the socket */
    const Stream *stream; /* the current stream, or NULL */
    int next;             /* index of its next event */
    int place;            /* index in `active` */
} Client;

static Shape shapes[MAX_SHAPES];
static int shape_count;
static const Shape *shape = shapes;
static long pace_us, chats;
static Client *clients[MAX_CLIENTS];
static int active[MAX_CLIENTS], active_count;
static int poller;

static void die(const char *what) { perror(what); exit(1); }

static Bytes joined(const char *head, const char *data, size_t size, const char *tail) {
    size_t before = strlen(head), after = strlen(tail);
    Bytes whole = {malloc(before + size + after), before + size + after};
    if (!whole.data) die("malloc");
    memcpy(whole.data, head, before);
    memcpy(whole.data + before, data, size);
    memcpy(whole.data + before + size, tail, after);
    return whole;
}

static Bytes http(const char *status, const char *body, size_t size) {
    char head[160];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
             "content-length: %zu\r\n\r\n", status, size);
    return joined(head, body, size, "");
}

/* Loading. */

static Bytes file(const char *path) {
    FILE *in = fopen(path, "rb");
    if (!in) die(path);
    fseek(in, 0, SEEK_END);
    size_t size = ftell(in);
    rewind(in);
    Bytes whole = {malloc(size + 1), size};
    if (fread(whole.data, 1, size, in) != size) die(path);
    fclose(in);
    return whole;
}

/* The head, then one HTTP chunk per event; the last one ends the response. */
static void load_stream(Stream *stream, Bytes text) {
    const char *head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                       "transfer-encoding: chunked\r\n\r\n";
    stream->pieces[stream->count++] = joined(head, "", 0, "");
    for (char *at = text.data, *end = at + text.size; at < end;) {
        char *stop = memmem(at, end - at, "\n\n", 2), size[16];
        if (!stop || stream->count == MAX_EVENTS) die("events");
        snprintf(size, sizeof size, "%zx\r\n", (size_t)(stop + 2 - at));
        const char *tail = stop + 2 == end ? "\r\n0\r\n\r\n" : "\r\n";
        stream->pieces[stream->count++] = joined(size, at, stop + 2 - at, tail);
        at = stop + 2;
    }
}

static void load_file(Shape *into, const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    Bytes text = file(path);
    if (!strcmp(name, "stream")) return load_stream(&into->plain, text);
    if (!strcmp(name, "stream_usage")) return load_stream(&into->usage, text);
    if (into->count == MAX_REPLIES) die("replies");
    Reply *reply = &into->replies[into->count++];
    snprintf(reply->path, sizeof reply->path, "%s", name);
    reply->reply = http("200 OK", text.data, text.size);
}

static void load_shape(const char *folder) {
    if (shape_count == MAX_SHAPES) die("shapes");
    Shape *into = &shapes[shape_count++];
    const char *slash = strrchr(folder, '/');
    into->name = slash ? slash + 1 : folder;
    DIR *files = opendir(folder);
    if (!files) die(folder);
    for (struct dirent *entry; (entry = readdir(files));)
        if (entry->d_name[0] != '.') load_file(into, folder, entry->d_name);
    closedir(files);
}

/* Responses. */

static void leave_stream(Client *client) {
    if (!client->stream) return;
    active[client->place] = active[--active_count];
    clients[active[client->place]]->place = client->place;
    client->stream = NULL;
}

static void drop(int fd) {
    Client *client = clients[fd];
    leave_stream(client);
    close(fd);
    free(client->in);
    free(client);
    clients[fd] = NULL;
}

static void watch(int fd, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event)) die("epoll_ctl");
}

/* Returns whether the client is still connected. */
static int push(int fd) {
    Client *client = clients[fd];
    ssize_t sent = send(fd, client->out.data, client->out.size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) { drop(fd); return 0; }
    if (sent > 0) { client->out.data += sent; client->out.size -= sent; }
    return 1;
}

static int send_bytes(int fd, Bytes bytes) {
    clients[fd]->out = bytes;
    if (!push(fd)) return 0;
    if (clients[fd]->out.size) watch(fd, EPOLLIN | EPOLLOUT);
    return 1;
}

static int has(Bytes body, const char *words) {
    return memmem(body.data, body.size, words, strlen(words)) != NULL;
}

static void begin_stream(int fd, Bytes body) {
    Client *client = clients[fd];
    int usage = has(body, "\"include_usage\":true") || has(body, "\"include_usage\": true");
    client->stream = usage ? &shape->usage : &shape->plain;
    client->next = 0;
    client->place = active_count;
    active[active_count++] = fd;
}

static Bytes switched(const char *path) {
    if (!strncmp(path, "/_pace/", 7)) pace_us = atol(path + 7);
    for (int i = 0; i < shape_count; i++)
        if (!strncmp(path, "/_shape/", 8) && !strcmp(path + 8, shapes[i].name)) shape = &shapes[i];
    char count[24];
    return http("200 OK", count, snprintf(count, sizeof count, "%ld", chats));
}

static Bytes answer(char *path) {
    if (path[1] == '_') return switched(path);
    for (char *at = path; *at; at++)
        if (*at == '/') *at = '_';
    for (int i = 0; i < shape->count; i++)
        if (!strcmp(path, shape->replies[i].path)) return shape->replies[i].reply;
    static Bytes missing;
    if (!missing.data) missing = http("404 Not Found", "{\"error\":{\"message\":\"no\"}}", 26);
    return missing;
}

static int respond(int fd, char *path, Bytes body) {
    int chat = !strcmp(path, "/v1/chat/completions") || !strcmp(path, "/v1/completions");
    chats += chat;
    if (chat && (has(body, "\"stream\":true") || has(body, "\"stream\": true"))) {
        begin_stream(fd, body);
        return 1;
    }
    return send_bytes(fd, answer(path));
}

/* Requests. */

static size_t content_length(const char *head) {
    const char *found = strcasestr(head, "\ncontent-length:");
    return found ? strtoul(found + 16, NULL, 10) : 0;
}

/* Handles one complete request from the buffer; 0: incomplete, or the client has disconnected. */
static int take(int fd) {
    Client *client = clients[fd];
    char *end = client->used ? memmem(client->in, client->used, "\r\n\r\n", 4) : NULL;
    if (!end) return 0;
    *end = 0;
    Bytes body = {end + 4, content_length(client->in)};
    size_t whole = body.data + body.size - client->in;
    if (whole > client->used) { *end = '\r'; return 0; }
    char path[128] = "/";
    sscanf(client->in, "%*15s %127[^ ?]", path);
    if (!respond(fd, path, body)) return 0;
    client->used -= whole;
    memmove(client->in, client->in + whole, client->used);
    return 1;
}

static void read_some(int fd) {
    Client *client = clients[fd];
    if (client->room - client->used < 65536) {
        client->room = client->room * 2 + 65536;
        if (!(client->in = realloc(client->in, client->room))) die("realloc");
    }
    ssize_t got = recv(fd, client->in + client->used, client->room - client->used - 1, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) { drop(fd); return; }
    client->used += got;
    client->in[client->used] = 0;
    while (clients[fd] == client && !client->stream && !client->out.size && take(fd)) {}
}

static void ready(int fd, unsigned events) {
    if (events & EPOLLOUT) {
        if (!push(fd)) return;
        if (!clients[fd]->out.size) watch(fd, EPOLLIN);
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_some(fd);
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CLIENTS) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        clients[fd] = calloc(1, sizeof(Client));
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    }
}

/* Streams. */

/* Writes one event per stream; backwards, because an ended stream is replaced by the last. */
static void step(void) {
    for (int i = active_count - 1; i >= 0; i--) {
        int fd = active[i];
        Client *client = clients[fd];
        if (client->out.size) continue;
        Bytes piece = client->stream->pieces[client->next++];
        if (client->next == client->stream->count) leave_stream(client);
        send_bytes(fd, piece);
    }
}

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int wait_ms(long due) {
    if (!active_count) return -1;
    long left = due - now_us();
    return left > 0 ? (left + 999) / 1000 : 0;
}

static void serve(int listener) {
    struct epoll_event events[512];
    for (long due = 0;;) {
        int count = epoll_wait(poller, events, 512, wait_ms(due));
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) accept_all(fd);
            else if (clients[fd]) ready(fd, events[i].events);
        }
        if (!active_count || now_us() < due) continue;
        due = now_us() + pace_us;
        step();
    }
}

static int listen_anywhere(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (void *)&at, size) || listen(fd, 4096)) die("listen");
    getsockname(fd, (void *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **folders) {
    if (count < 2) { fprintf(stderr, "usage: upstream FOLDER...\n"); return 2; }
    for (int i = 1; i < count; i++) load_shape(folders[i]);
    int listener = listen_anywhere();
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
    serve(listener);
}
