//! Whether a module has put something of its own on an object that it was given. Asked for every request that leaves its
//! context for a while, so it makes no list of names that JavaScript would see.

use std::ptr;

use rquickjs::qjs::{self, JSContext, JSValue};

/// True if it has no property of its own that can be named; private fields do not count. What is no object has none.
pub(super) fn is_bare(ctx: *mut JSContext, value: JSValue) -> bool {
    let wanted = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK) as i32;
    let (mut names, mut count) = (ptr::null_mut(), 0);
    // SAFETY: a live context and value; the out-pointers are valid, and the list is freed.
    unsafe {
        if !qjs::JS_IsObject(value) {
            return true;
        }
        if qjs::JS_GetOwnPropertyNames(ctx, &mut names, &mut count, value, wanted) < 0 {
            // Out of memory: nobody knows, so it is taken for one that has.
            qjs::JS_FreeValue(ctx, qjs::JS_GetException(ctx));
            return false;
        }
        qjs::JS_FreePropertyEnum(ctx, names, count);
    }
    count == 0
}
