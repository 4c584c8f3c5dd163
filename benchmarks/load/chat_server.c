/* A chat service that is faster than any client under test: one thread, epoll, everything by hand.
 *
 * It speaks the runbook's default protocol: handshake with the subprotocol jwt-auth (if it is offered), one chat message
 * in, five events out, each sent by itself. `chat_server PORT [CERT KEY]` listens on 127.0.0.1 (with a
 * certificate: by TLS); `STALL_MS` and `STALL_EVERY_MS` in the environment let all of it stand still now and then.
 * With `TRUTH` set, it writes to standard output when it had sent each whole answer (monotonic, seconds) and to what.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 16384, EVENTS = 5 };
enum state { HANDSHAKE_TLS, HANDSHAKE, OPEN };

struct peer {
    int fd;
    enum state state;
    unsigned number, messages;
    SSL *tls;
    char *held; /* What has come of an unfinished request or frame. */
    int length;
};

static const char *KINDS[EVENTS] = {"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"};
static SSL_CTX *context;
static unsigned peers_so_far;
static int tells_truth;
static volatile sig_atomic_t ended;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int put(struct peer *p, const void *bytes, int length) {
    int sent = p->tls ? SSL_write(p->tls, bytes, length) : (int)send(p->fd, bytes, length, MSG_NOSIGNAL);
    return sent == length ? 0 : -1; /* The answers are small: a full socket is the client's fault. */
}

static int get(struct peer *p, char *bytes, int most) {
    if (!p->tls) return (int)recv(p->fd, bytes, most, 0);
    int got = SSL_read(p->tls, bytes, most);
    if (got > 0) return got;
    int why = SSL_get_error(p->tls, got);
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return why == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static int put_frame(struct peer *p, int opcode, const char *payload, int length) {
    char frame[MOST_BYTES];
    int head = 2;
    frame[0] = (char)(0x80 | opcode);
    if (length < 126) {
        frame[1] = (char)length;
    } else {
        frame[1] = 126;
        frame[2] = (char)(length >> 8);
        frame[3] = (char)length;
        head = 4;
    }
    memcpy(frame + head, payload, length);
    return put(p, frame, head + length);
}

static const char *header(const char *request, const char *name, int *length) {
    const char *line = strcasestr(request, name);
    if (!line) return NULL;
    line += strlen(name);
    while (*line == ' ') line++;
    *length = (int)strcspn(line, "\r\n");
    return line;
}

static int refuse(struct peer *p) {
    static const char answer[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    put(p, answer, sizeof answer - 1);
    return -1;
}

static int log_in(struct peer *p) {
    static const char body[] = "{\"access_token\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJwcm9iZSJ9.c2lnbmF0dXJl\"}";
    char answer[512];
    int n = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
                     (int)sizeof body - 1, body);
    put(p, answer, n);
    return -1;
}

static int shake_hands(struct peer *p) {
    int length, offered;
    if (!strncmp(p->held, "POST /auth/login", 16)) return log_in(p);
    const char *key = header(p->held, "\r\nSec-WebSocket-Key:", &length);
    if (!key || length > 64) return refuse(p);
    char text[128], accept[64], answer[512];
    unsigned char digest[SHA_DIGEST_LENGTH];
    int n = snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", length, key);
    SHA1((unsigned char *)text, n, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, SHA_DIGEST_LENGTH);
    const char *protocols = header(p->held, "\r\nSec-WebSocket-Protocol:", &offered);
    n = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                 accept, protocols ? "Sec-WebSocket-Protocol: jwt-auth\r\n" : "");
    p->state = OPEN;
    return put(p, answer, n);
}

static int answer(struct peer *p, char *payload, int length) {
    char event[MOST_BYTES], content[1024] = "";
    char *from = memmem(payload, length, "\"content\"", 9);
    if (from && (from = memchr(from + 9, '"', length - (from + 9 - payload)))) {
        char *to = memchr(from + 1, '"', length - (from + 1 - payload));
        if (to && to - from < (int)sizeof content) snprintf(content, sizeof content, "%.*s", (int)(to - from - 1), from + 1);
    }
    unsigned turn = p->messages++;
    for (int i = 0; i < EVENTS; i++) {
        char data[1200] = "{}";
        if (i == EVENTS - 1) snprintf(data, sizeof data, "{\"response\":\"You said %s\"}", content);
        int n = snprintf(event, sizeof event,
                         "{\"type\":\"%s\",\"data\":%s,\"message_id\":\"m-%u-%u-%d\",\"run_id\":\"r-%u-%u\",\"thread_id\":\"t-%u\",\"user_id\":\"u-%u\","
                         "\"session_id\":\"s-%u\",\"timestamp\":\"2026-11-26T02:30:00.000000+00:00\",\"sequence\":%d}",
                         KINDS[i], data, p->number, turn, i + 1, p->number, turn, p->number, p->number, p->number, i + 1);
        if (put_frame(p, 1, event, n)) return -1;
    }
    if (tells_truth) printf("answered %.6f %s\n", now(), content);
    return 0;
}

/* Take one whole frame from the front of what is held; return its length, 0 if more has to come, -1 to end. */
static int take_frame(struct peer *p, char *bytes, int have) {
    if (have < 6) return 0;
    int opcode = bytes[0] & 15, length = bytes[1] & 127, head = 2;
    if (length == 127 || !(bytes[1] & 128)) return -1;
    if (length == 126) {
        if (have < 8) return 0;
        length = (unsigned char)bytes[2] << 8 | (unsigned char)bytes[3];
        head = 4;
    }
    if (have < head + 4 + length) return 0;
    char *mask = bytes + head, *payload = mask + 4;
    for (int i = 0; i < length; i++) payload[i] ^= mask[i & 3];
    if (opcode == 8) {
        put_frame(p, 8, payload, length < 2 ? 0 : 2);
        return -1;
    }
    if (opcode == 9 && put_frame(p, 10, payload, length)) return -1;
    if (opcode == 1 && answer(p, payload, length)) return -1;
    return head + 4 + length;
}

static int use(struct peer *p) {
    while (p->length) {
        if (p->state == HANDSHAKE) {
            char *end = memmem(p->held, p->length, "\r\n\r\n", 4);
            if (!end) return 0;
            if (shake_hands(p)) return -1;
            int rest = p->length - (int)(end + 4 - p->held);
            memmove(p->held, end + 4, rest);
            p->length = rest;
        } else {
            int taken = take_frame(p, p->held, p->length);
            if (taken <= 0) return taken;
            memmove(p->held, p->held + taken, p->length - taken);
            p->length -= taken;
        }
    }
    return 0;
}

static int serve(struct peer *p) {
    if (p->state == HANDSHAKE_TLS) {
        int done = SSL_accept(p->tls);
        if (done != 1) {
            int why = SSL_get_error(p->tls, done);
            return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
        }
        p->state = HANDSHAKE;
    }
    char buffer[MOST_BYTES];
    for (;;) {
        int got = get(p, buffer, sizeof buffer - 1);
        if (got < 0) return errno == EAGAIN ? 0 : -1;
        if (got == 0) return -1;
        /* An idle connection holds no buffer: what is unfinished is copied. */
        char *joined = malloc(p->length + got + 1);
        memcpy(joined, p->held, p->length);
        memcpy(joined + p->length, buffer, got);
        free(p->held);
        p->held = joined;
        p->length += got;
        p->held[p->length] = 0;
        if (p->length > MOST_BYTES || use(p)) return -1;
        if (!p->length) {
            free(p->held);
            p->held = NULL;
        }
        if (!p->tls) return 0; /* Level-triggered: what is left wakes us again. */
    }
}

static void end(struct peer *p) {
    if (p->tls) {
        SSL_set_quiet_shutdown(p->tls, 1);
        SSL_shutdown(p->tls); /* Otherwise OpenSSL forgets the session, and nobody could resume it. */
        SSL_free(p->tls);
    }
    close(p->fd);
    free(p->held);
    free(p);
}

static void welcome(int listener, int epoll) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct peer *p = calloc(1, sizeof *p);
        p->fd = fd;
        p->number = peers_so_far++;
        p->state = HANDSHAKE;
        if (context) {
            p->state = HANDSHAKE_TLS;
            p->tls = SSL_new(context);
            SSL_set_fd(p->tls, fd);
        }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void stall(double ms) {
    struct timespec rest = {(time_t)(ms / 1000), (long)(ms * 1e6) % 1000000000L};
    nanosleep(&rest, NULL);
}

static void on_term(int signal_number) {
    (void)signal_number;
    ended = 1;
}

static double setting(const char *name) {
    const char *text = getenv(name);
    return text ? atof(text) : 0;
}

static void prepare_tls(const char *certificate, const char *key) {
    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* Resumption is by tickets. */
    if (SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "no certificate or key to be read\n");
        exit(2);
    }
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

int main(int count, char **arguments) {
    if (count != 2 && count != 4) {
        fprintf(stderr, "chat_server PORT [CERT KEY]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    tells_truth = getenv("TRUTH") != NULL;
    if (count == 4) prepare_tls(arguments[2], arguments[3]);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, epoll = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096)) {
        perror("listen");
        return 1;
    }
    socklen_t size = sizeof here;
    getsockname(listener, (struct sockaddr *)&here, &size);
    printf("port %d\n", ntohs(here.sin_port));
    fflush(stdout);
    struct epoll_event first = {.events = EPOLLIN, .data.ptr = NULL}, events[512];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &first);
    double stall_ms = setting("STALL_MS"), every_s = setting("STALL_EVERY_MS") / 1000, next = now() + every_s;
    while (!ended) {
        int ready = epoll_wait(epoll, events, 512, stall_ms ? 5 : -1);
        for (int i = 0; i < ready; i++) {
            struct peer *p = events[i].data.ptr;
            if (!p) welcome(listener, epoll);
            else if (serve(p)) end(p);
        }
        if (stall_ms && now() >= next) {
            stall(stall_ms);
            next += every_s;
        }
    }
    fflush(stdout);
    return 0;
}
