/* SPDX-License-Identifier: MIT */
/*
 * Where the eBPF program finds PHP's call stack in this process. The offsets come from the headers this
 * file is compiled with, so every PHP version brings its own and the eBPF program knows none.
 */
#include "compass_layout.h"

#include "php.h"
#include "php_streams.h"

void compass_layout_fill(struct compass_layout *layout)
{
	*layout = (struct compass_layout){
	    .current_execute_data = (uint64_t)(uintptr_t)&EG(current_execute_data),
	    .execute_data_opline = offsetof(zend_execute_data, opline),
	    .execute_data_func = offsetof(zend_execute_data, func),
	    .execute_data_this = offsetof(zend_execute_data, This),
	    .execute_data_prev = offsetof(zend_execute_data, prev_execute_data),
	    .execute_data_size = ZEND_CALL_FRAME_SLOT * sizeof(zval),
	    .zval_size = sizeof(zval),
	    .zval_type = offsetof(zval, u1.v.type),
	    .zval_extra = offsetof(zval, u2),
	    .op_size = sizeof(zend_op),
	    .op_lineno = offsetof(zend_op, lineno),
	    .function_type = offsetof(zend_function, type),
	    .function_name = offsetof(zend_function, common.function_name),
	    .function_scope = offsetof(zend_function, common.scope),
	    .op_array_filename = offsetof(zend_function, op_array.filename),
	    .op_array_line_start = offsetof(zend_function, op_array.line_start),
	    .class_name = offsetof(zend_class_entry, name),
	    .string_hash = offsetof(zend_string, h),
	    .string_length = offsetof(zend_string, len),
	    .string_value = offsetof(zend_string, val),
	    .object_class = offsetof(zend_object, ce),
	    .object_properties = offsetof(zend_object, properties_table),
	    .resource_pointer = offsetof(zend_resource, ptr),
	    .stream_path = offsetof(php_stream, orig_path),
	};
}
