/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the PHP extension (user space) and the eBPF program (kernel) agree on.
 *
 * The extension fires USDT probes of the provider "compass"; the eBPF program reads their arguments.
 * Both include this file and nothing else of each other, so it holds only fixed-width integers and
 * character arrays, and the includer provides the integer types (<stdint.h> in user space,
 * <linux/types.h> in the kernel).
 *
 * Probes and their arguments. Every argument sits in the register in which the System V AMD64 calling
 * convention passes it (rdi, rsi, rdx, rcx, r8, r9), so that one eBPF program fits every build of the
 * extension; compassd refuses to attach to a file whose ELF notes say otherwise.
 *
 *   fpm_request_init:     const char *id, *uri, *method; const struct compass_request *
 *   fpm_request_shutdown: const char *id, *uri, *method; const struct compass_request *;
 *                         uint64_t duration_ns; int64_t status
 *   php_function_begin:   const char *id, *function, *class; uint64_t depth
 *   php_function_end:     const char *id, *function, *class; uint64_t elapsed_ns; const struct compass_call *
 *
 * Strings are NUL-terminated and never NULL; an absent one is "". They hold whatever the client sent:
 * bounded, but neither UTF-8 nor printable.
 */
#ifndef COMPASS_ABI_H
#define COMPASS_ABI_H

/* Raised with every change to this file that an old reader would misread. */
#define COMPASS_ABI_VERSION 1

/* Sizes in bytes, including the terminating NUL. */
#define COMPASS_ID_SIZE 128
#define COMPASS_METHOD_SIZE 16
#define COMPASS_HOST_SIZE 256
#define COMPASS_POOL_SIZE 64
#define COMPASS_URI_SIZE 1024
#define COMPASS_SCRIPT_SIZE 512
#define COMPASS_TRANSACTION_SIZE 128
#define COMPASS_TAG_KEY_SIZE 32
#define COMPASS_TAG_VALUE_SIZE 96
#define COMPASS_TAGS_MAX 8

/* Bits of compass_request.flags. */

/* Nobody was attached when the request began: cpu_ns is unknown (0), the rest is exact. */
#define COMPASS_REQUEST_LATE 1u
/* The URI was longer than COMPASS_URI_SIZE - 1 and is cut; uri_length has its full length. */
#define COMPASS_REQUEST_URI_CUT 2u
/* The extension was loaded with compass.function_probes=On: function probes can fire. */
#define COMPASS_REQUEST_FUNCTION_PROBES 4u
/* At least one call of Compass\tag() found no room. */
#define COMPASS_REQUEST_TAGS_DROPPED 8u

/*
 * Where a stack walk finds its way: the address of the executor's current frame, and byte offsets of
 * fields as the extension's compiler saw them, so that every PHP version brings its own.
 */
struct compass_layout {
	/* Address of EG(current_execute_data) in this process. */
	uint64_t current_execute_data;
	/* In zend_execute_data. */
	uint16_t execute_data_opline;
	uint16_t execute_data_func;
	uint16_t execute_data_this;
	uint16_t execute_data_prev;
	/* Size of a zend_execute_data rounded up to slots: where argument 1 of a call begins. */
	uint16_t execute_data_size;
	uint16_t zval_size;
	uint16_t zval_type;
	/* The second word beside the value; in "This" of a call, the number of its arguments. */
	uint16_t zval_extra;
	/* A zend_op. */
	uint16_t op_size;
	uint16_t op_lineno;
	/* In zend_function. */
	uint16_t function_type;
	uint16_t function_name;
	uint16_t function_scope;
	uint16_t op_array_filename;
	uint16_t op_array_line_start;
	/* In zend_class_entry. */
	uint16_t class_name;
	/* In zend_string. */
	uint16_t string_hash;
	uint16_t string_length;
	uint16_t string_value;
	/* In zend_object. */
	uint16_t object_class;
	uint16_t object_properties;
	/* In zend_resource, and in the php_stream that it may point to: its path or URL, a C string. */
	uint16_t resource_pointer;
	uint16_t stream_path;
	uint16_t reserved[1];
};

struct compass_tag {
	char key[COMPASS_TAG_KEY_SIZE];
	char value[COMPASS_TAG_VALUE_SIZE];
};

/*
 * One request. Known at its start: everything up to and including script, and flags. Known at its end:
 * the rest. The eBPF program reads the struct in one go, at most sizeof(struct compass_request) bytes.
 * Every string is NUL-terminated; bytes after the NUL are undefined (left from an earlier request).
 */
struct compass_request {
	uint32_t version; /* COMPASS_ABI_VERSION */
	uint32_t size;    /* sizeof(struct compass_request) */
	/* CLOCK_MONOTONIC at the start of the request, ns. With the process it is the request's key. */
	uint64_t start_ns;
	uint64_t duration_ns; /* CLOCK_MONOTONIC, ns */
	uint64_t cpu_ns;      /* CPU time of the process, user and system, ns */
	uint64_t memory_peak; /* zend_memory_peak_usage(real = false), bytes */
	uint32_t flags;       /* COMPASS_REQUEST_* */
	uint32_t status;      /* HTTP status code */
	uint32_t uri_length;  /* bytes the client sent, before any cut */
	uint32_t tag_count;   /* entries of tags in use */
	struct compass_layout layout;
	char id[COMPASS_ID_SIZE];
	char method[COMPASS_METHOD_SIZE];
	char host[COMPASS_HOST_SIZE]; /* the Host header */
	char pool[COMPASS_POOL_SIZE]; /* the FPM pool, "" if unknown */
	char uri[COMPASS_URI_SIZE];   /* REQUEST_URI: path and query string */
	char script[COMPASS_SCRIPT_SIZE];
	char transaction[COMPASS_TRANSACTION_SIZE]; /* set by Compass\transaction(), "" otherwise */
	struct compass_tag tags[COMPASS_TAGS_MAX];
};

/* One finished call of a function, for php_function_end. */
struct compass_call {
	const char *file;  /* where a user function is defined; "" for an internal one */
	uint64_t start_ns; /* CLOCK_MONOTONIC, ns */
	uint32_t line;     /* first line of the definition, 0 for an internal function */
	uint32_t depth;    /* callers above it that the extension saw; 0 for the script itself */
};

/*
 * Alone in the extension's ELF section ".compass.state". version and request_size can be read from the file,
 * before attaching to it; flags in a running php-fpm worker, as loaded is not the same as active.
 */
struct compass_state {
	uint32_t version;      /* COMPASS_ABI_VERSION */
	uint32_t request_size; /* sizeof(struct compass_request) */
	uint32_t flags;        /* COMPASS_STATE_* */
};

#define COMPASS_STATE_ACTIVE 1u
#define COMPASS_STATE_FUNCTION_PROBES 2u

#endif /* COMPASS_ABI_H */
