//! Builtins that the engine cannot interrupt and that can run for minutes over next to no memory: array methods on
//! a length without elements, and searching one long text in another. Each is wrapped by a function that looks at
//! the sizes first. Sizes that fit into a module's heap pass.

use rquickjs::qjs::{self, JSContext, JSValue};
use rquickjs::{Ctx, Exception, Function as JsFunction, Object, Value};

/// Longest array that a wrapped method walks; with elements it would take twice the default heap.
const MAX_LENGTH: i64 = 4 << 20;

/// Largest product of the lengths of text and searched text: a few tenths of a second at worst.
const MAX_SEARCH: i64 = 1 << 28;

/// What a wrapped function works on.
const ARRAY: i32 = 0;
const ARRAYS: i32 = 1;
const TEXT: i32 = 2;

/// `guard(original, kind)` gives the wrapped function.
pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    let guard = |ctx: Ctx<'js>, original: JsFunction<'js>, kind: i32| {
        let mut data = [original.as_raw()];
        // SAFETY: `guarded` has the signature asked for; the engine takes its own reference to the one value.
        let wrapped = unsafe {
            qjs::JS_NewCFunctionData(ctx.as_raw().as_ptr(), Some(guarded), 1, kind, 1, data.as_mut_ptr())
        };
        // SAFETY: a fresh value of this context, owned by nobody else.
        unsafe { Value::from_raw(ctx, wrapped) }
    };
    table.set("guard", JsFunction::new(ctx.clone(), guard)?)
}

unsafe extern "C" fn guarded(
    ctx: *mut JSContext,
    this: JSValue,
    argc: i32,
    argv: *mut JSValue,
    kind: i32,
    data: *mut JSValue,
) -> JSValue {
    let arguments = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the engine passes `argc` arguments (none may be a null pointer) and the value the function was made
    // with.
    let (arguments, original) = unsafe {
        let arguments = if arguments == 0 { &[] } else { std::slice::from_raw_parts(argv, arguments) };
        (arguments, *data)
    };
    let fits = match kind {
        ARRAY => length(ctx, this).map(|n| n <= MAX_LENGTH),
        ARRAYS => {
            let mut all = length(ctx, this);
            for argument in arguments.iter().filter(|a| is_array(**a)) {
                all = all.and_then(|sum| Some(sum.saturating_add(length(ctx, *argument)?)));
            }
            all.map(|n| n <= MAX_LENGTH)
        }
        TEXT => match (is_string(this), arguments.first().filter(|a| is_string(**a))) {
            (true, Some(searched)) => {
                length(ctx, this).zip(length(ctx, *searched)).map(|(a, b)| a.saturating_mul(b) <= MAX_SEARCH)
            }
            _ => Some(true),
        },
        _ => Some(true),
    };
    match fits {
        None => qjs::JS_EXCEPTION,
        Some(false) => {
            // SAFETY: the engine calls with the context the function was made in.
            let ctx = unsafe { Ctx::from_raw(std::ptr::NonNull::new_unchecked(ctx)) };
            Exception::throw_range(&ctx, "this is too long to work on in one go");
            qjs::JS_EXCEPTION
        }
        // SAFETY: arguments and receiver are handed on as they came.
        Some(true) => unsafe { qjs::JS_Call(ctx, original, this, argc, argv) },
    }
}

/// `length` of an array, an array-like or a string; `None`: an exception is pending.
fn length(ctx: *mut JSContext, value: JSValue) -> Option<i64> {
    let mut length = 0;
    // SAFETY: a live context and value; the out-pointer is valid.
    let rc = unsafe { qjs::JS_GetLength(ctx, value, &mut length) };
    (rc >= 0).then_some(length)
}

fn is_array(value: JSValue) -> bool {
    // SAFETY: looks at the value's class only.
    unsafe { qjs::JS_IsArray(value) }
}

fn is_string(value: JSValue) -> bool {
    // SAFETY: looks at the tag only.
    unsafe { qjs::JS_IsString(value) }
}
