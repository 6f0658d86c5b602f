//! Whether a module has put something of its own on the objects that the prelude gave it. Asked for every request that
//! leaves its context for a while, so it makes no array of names.

use std::ptr;

use rquickjs::qjs::{self, JSContext, JSValue};
use rquickjs::{Ctx, Object, Value};

/// `bare(a, b, c)`: none of them has a property of its own that can be named; private fields do not count. What is no
/// object has none.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    // SAFETY: `bare` has the signature of a generic function; a live context and a C string.
    let function = unsafe {
        let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic;
        let raw = qjs::JS_NewCFunction2(ctx.as_raw().as_ptr(), Some(bare), c"bare".as_ptr(), 3, kind, 0);
        Value::from_raw(ctx.clone(), raw)
    };
    table.set("bare", function)
}

unsafe extern "C" fn bare(ctx: *mut JSContext, _: JSValue, argc: i32, argv: *mut JSValue) -> JSValue {
    let wanted = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK) as i32;
    for at in 0..argc.max(0) as usize {
        let (mut names, mut count) = (ptr::null_mut(), 0);
        // SAFETY: the engine gives `argc` arguments; the out-pointers are valid, and the list is freed.
        unsafe {
            let object = *argv.add(at);
            if !qjs::JS_IsObject(object) {
                continue;
            }
            if qjs::JS_GetOwnPropertyNames(ctx, &mut names, &mut count, object, wanted) < 0 {
                return qjs::JS_EXCEPTION;
            }
            qjs::JS_FreePropertyEnum(ctx, names, count);
        }
        if count > 0 {
            return qjs::JS_FALSE;
        }
    }
    qjs::JS_TRUE
}
