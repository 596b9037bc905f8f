/* SPDX-License-Identifier: Apache-2.0 */
/* What the server serves (server.c has the list), and the books that it keeps of it. */
#ifndef EXAMPLES_ENDPOINTS_H
#define EXAMPLES_ENDPOINTS_H

#include "examples/http.h"

/* One request: the function to name for whoever wants to see requests from outside. */
void handle_request(const char *path, struct http_conn *conn);

/* Handles conn->request; it, and the thread's CPU time for it, go into the endpoint's book. */
void endpoint_serve(struct http_conn *conn);
/* What is left of a request that waited (conn->after): its time goes into the same book. */
void endpoint_resume(struct http_conn *conn, void (*then)(struct http_conn *conn));

/* Before any fork: one set of books for all processes. False: errno says why. */
bool books_open(void);
void books_print(void);

#endif
