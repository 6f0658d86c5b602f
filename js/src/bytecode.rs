//! Turns JavaScript into the engine's bytecode in a scratch runtime. Nothing is run here, and imports are not
//! looked at: every module they name is an empty stand-in.

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{WriteOptions, WriteOptionsEndianness};
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Module, Runtime};

/// The engine refused the source: its line and byte column (from 1; 0 if unknown) and what it said.
pub(crate) struct Rejected {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) message: String,
}

struct Anything;

impl Resolver for Anything {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        _: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        Ok(name.to_owned())
    }
}

impl Loader for Anything {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js>> {
        Module::declare(ctx.clone(), name, "")
    }
}

/// Compiles `source` under the name that stack traces and the loader know it by.
pub(crate) fn emit(name: &str, source: &str) -> Result<Vec<u8>, Rejected> {
    let internal =
        |what: &str| Rejected { line: 0, column: 0, message: format!("the engine failed: {what}") };
    let runtime = Runtime::new().map_err(|e| internal(&e.to_string()))?;
    runtime.set_max_stack_size(1 << 20);
    runtime.set_loader(Anything, Anything);
    let context = Context::full(&runtime).map_err(|e| internal(&e.to_string()))?;
    context.with(|ctx| {
        let declared = Module::declare(ctx.clone(), name, source).catch(&ctx);
        let options = WriteOptions {
            endianness: WriteOptionsEndianness::Native,
            strip_source: true,
            ..WriteOptions::default()
        };
        match declared {
            Ok(module) => module.write(options).map_err(|e| internal(&e.to_string())),
            Err(CaughtError::Exception(e)) => {
                let (line, column) = place(&e.stack().unwrap_or_default());
                Err(Rejected { line, column, message: e.message().unwrap_or_default() })
            }
            Err(e) => Err(internal(&e.to_string())),
        }
    })
}

/// `    at name.ts:3:7` → (3, 7).
fn place(stack: &str) -> (u32, u32) {
    let first = stack.lines().next().unwrap_or_default().trim_end_matches(')');
    let mut numbers = first.rsplit(':').map(|n| n.parse::<u32>().unwrap_or(0));
    let column = numbers.next().unwrap_or(0);
    (numbers.next().unwrap_or(0), column)
}
