//! From a user's source to something that runs: parse, strip types, export what counts, make bytecode and a
//! position map. All that is wrong comes back at once, with lines and columns of the source the user wrote. Must
//! never run any of it.

use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc::diagnostics::{Diagnostics, OxcDiagnostic, Severity};
use oxc::parser::Parser;
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};

use crate::bytecode;
use crate::depth;
use crate::exports::{self, Wanted};
use crate::module::{Compiled, Diagnostic, Function, Functions, Language};
use crate::positions::{Import, Positions, Token, line_column};
use crate::specifier::{self, Target, target};

mod remembers;

/// Diagnostics given at most; a broken file can have thousands.
const MAX_DIAGNOSTICS: usize = 100;

/// Compiles one module, or says everything that is wrong with it. Takes milliseconds; call it where that is fine,
/// not on a shard. `name` is the module's name without an extension (one that is there is kept).
///
/// Decorators are refused, as are `import()` of anything but a plain string and sources over 2 MiB or nested more
/// than a few hundred brackets deep.
pub fn compile(name: &str, source: &str, language: Language) -> Result<Compiled, Vec<Diagnostic>> {
    let shown = shown_name(name, language);
    if name.is_empty()
        || name.contains(['\0', '\n', '(', ')'])
        || matches!(target(name), Target::Host(_))
        || (name.contains(':') && matches!(target(name), Target::Refused(_)))
    {
        let message = "this name cannot be used for a module".into();
        return Err(vec![Diagnostic { module: shown, line: 1, column: 1, message }]);
    }
    compile_as(name, &shown, source, language, &target)
}

/// As [`compile`], with a name that positions are shown with and somebody else's reading of import specifiers.
pub(crate) fn compile_as(
    name: &str,
    shown: &str,
    source: &str,
    language: Language,
    resolve: Resolve<'_>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let refuse = |offset: usize, message: &str| {
        let (line, column) = line_column(source, offset);
        Err(vec![Diagnostic { module: shown.into(), line, column, message: message.into() }])
    };
    if source.len() > depth::MAX_SOURCE {
        return refuse(0, "the source is longer than 2 MiB");
    }
    if let Some(at) = depth::too_deep(source) {
        return refuse(at, "the source nests too deep");
    }
    // The parser recurses; a thread of its own gives it the stack that `depth` was measured for.
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("compile".into())
            .stack_size(depth::STACK_BYTES)
            .spawn_scoped(scope, || Front { source, shown: shown.into(), resolve }.compile(name, language))
            .map_err(|e| (0, format!("no thread to compile on: {e}")))
            .and_then(|thread| thread.join().map_err(|_| (0, "the compiler panicked".into())))
            .unwrap_or_else(|(at, message)| refuse(at, &message))
    })
}

/// `name` + `.ts`; a name that already ends so stays.
pub(crate) fn shown_name(name: &str, language: Language) -> String {
    if specifier::bare(name) == name { format!("{name}.{}", language.extension()) } else { name.to_owned() }
}

/// The part of compiling that knows the source.
struct Front<'a> {
    source: &'a str,
    shown: String,
    resolve: Resolve<'a>,
}

/// What an import specifier means. Asked on the compiler's thread.
type Resolve<'a> = &'a (dyn Fn(&str) -> Target + Sync);

impl Front<'_> {
    fn compile(&self, name: &str, language: Language) -> Result<Compiled, Vec<Diagnostic>> {
        let arena = Allocator::default();
        let kind = match language {
            Language::TypeScript => SourceType::ts(),
            Language::JavaScript => SourceType::mjs(),
        };
        let parsed = Parser::new(&arena, self.source, kind).parse();
        self.report(parsed.diagnostics)?;
        let mut program = parsed.program;
        let semantic = SemanticBuilder::new_compiler().with_enum_eval(true).build(&program);
        self.report(semantic.diagnostics)?;
        let refused = exports::refused(&program);
        if !refused.is_empty() {
            return Err(refused.iter().map(|(span, why)| self.at(span.start, *why)).collect());
        }
        let offered = exports::offered(&program);

        let scheduled = offered.scheduled_at.map(|at| line_column(self.source, at as usize));
        let mut map = Positions { shown: self.shown.clone(), scheduled, ..Positions::default() };
        let mut javascript = match language {
            Language::TypeScript => {
                let path = std::path::Path::new(&self.shown);
                let scoping = semantic.semantic.into_scoping();
                let options = TransformOptions::default();
                let done = Transformer::new(&arena, path, &options).build_with_scoping(scoping, &mut program);
                self.report(done.diagnostics)?;
                let options = CodegenOptions {
                    source_map_path: Some(path.to_path_buf()),
                    comments: CommentOptions::disabled(),
                    ..CodegenOptions::default()
                };
                let printed =
                    Codegen::new().with_options(options).with_source_text(self.source).build(&program);
                if let Some(m) = &printed.map {
                    let known = m.get_tokens().filter(|t| t.get_source_id().is_some());
                    let raw = known.map(|t| Token {
                        dst_line: t.get_dst_line(),
                        dst_column: t.get_dst_col(),
                        src_line: t.get_src_line(),
                        src_column: t.get_src_col(),
                    });
                    map.tokens = self.columns(&printed.code, raw.collect());
                }
                printed.code
            }
            Language::JavaScript => {
                map.identity = true;
                map.tokens = wide_lines(self.source);
                self.source.to_owned()
            }
        };
        let scoping = SemanticBuilder::new().build(&program).semantic.into_scoping();
        map.remembers = remembers::remembers(&program, &scoping);
        append_exports(&mut javascript, offered.declared);
        let imports = self.imports(exports::imports(&program), &mut map)?;
        let bytecode = self.bytecode(&javascript, &map)?;
        let functions = Function::ALL
            .into_iter()
            .filter(|f| offered.exported.has(*f) || offered.declared.has(*f))
            .collect();
        Ok(Compiled { name: name.into(), javascript, bytecode, source_map: map.encode(), functions, imports })
    }

    fn at(&self, offset: u32, message: impl Into<String>) -> Diagnostic {
        let (line, column) = line_column(self.source, offset as usize);
        Diagnostic { module: self.shown.clone(), line, column, message: message.into() }
    }

    fn report(&self, found: Diagnostics) -> Result<(), Vec<Diagnostic>> {
        let mut errors: Vec<Diagnostic> = found
            .into_vec()
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .take(MAX_DIAGNOSTICS)
            .map(|d| self.at(place(d), d.message.as_ref()))
            .collect();
        errors.sort_by_key(|d| (d.line, d.column));
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Checks every specifier, notes where it stands, and gives the names of the user modules among them.
    fn imports(&self, wanted: Vec<Wanted>, map: &mut Positions) -> Result<Vec<String>, Vec<Diagnostic>> {
        let (mut users, mut wrong) = (Vec::new(), Vec::new());
        for want in wanted {
            match (self.resolve)(&want.specifier) {
                Target::Refused(why) => wrong.push(self.at(want.span.start, why)),
                Target::Host(_) => {}
                Target::User(name) if !users.contains(&name) => users.push(name),
                Target::User(_) => {}
            }
            let (line, column) = line_column(self.source, want.span.start as usize);
            let names = want.names.into_iter().map(|(name, span)| {
                let (line, column) = line_column(self.source, span.start as usize);
                (name, line, column)
            });
            map.imports.push(Import { specifier: want.specifier, line, column, names: names.collect() });
        }
        if wrong.is_empty() { Ok(users) } else { Err(wrong) }
    }

    fn bytecode(&self, javascript: &str, map: &Positions) -> Result<Vec<u8>, Vec<Diagnostic>> {
        bytecode::emit(&self.shown, javascript).map_err(|e| {
            let (line, column) = map.source_of(e.line.max(1), e.column.max(1));
            vec![Diagnostic { module: self.shown.clone(), line, column, message: e.message }]
        })
    }

    /// Converts the columns of tokens: UTF-16 units become bytes (generated) and characters (source).
    fn columns(&self, generated: &str, mut tokens: Vec<Token>) -> Vec<Token> {
        let generated: Vec<&str> = generated.split('\n').collect();
        let source: Vec<&str> = self.source.split('\n').collect();
        let convert = |lines: &[&str], line: u32, column: u32, measure: fn(char) -> u32| {
            let Some(text) = lines.get(line as usize).filter(|l| !l.is_ascii()) else { return column };
            let (mut units, mut converted) = (0, 0);
            for c in text.chars() {
                if units >= column {
                    break;
                }
                units += c.len_utf16() as u32;
                converted += measure(c);
            }
            converted
        };
        for t in &mut tokens {
            t.dst_column = convert(&generated, t.dst_line, t.dst_column, |c| c.len_utf8() as u32);
            t.src_column = convert(&source, t.src_line, t.src_column, |_| 1);
        }
        tokens.sort_by_key(|t| (t.dst_line, t.dst_column));
        tokens
    }
}

/// Where the fault is: the first label, unless the first says what was right before a second one came.
fn place(d: &OxcDiagnostic) -> u32 {
    let again =
        d.labels.iter().find(|label| label.label().is_some_and(|text| text.contains("redeclared here")));
    again.or(d.labels.first()).map_or(0, |label| label.offset())
}

/// A function that only stands at the top level is exported as if the user had written it.
fn append_exports(javascript: &mut String, declared: Functions) {
    let names: Vec<&str> = declared.iter().map(Function::name).collect();
    if !names.is_empty() {
        javascript.push_str(&format!("\nexport {{ {} }};\n", names.join(", ")));
    }
}

/// Tokens for the lines of JavaScript in which bytes and characters differ.
fn wide_lines(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for (line, text) in source.split('\n').enumerate().filter(|(_, text)| !text.is_ascii()) {
        for (column, (byte, _)) in text.char_indices().enumerate() {
            tokens.push(Token {
                dst_line: line as u32,
                dst_column: byte as u32,
                src_line: line as u32,
                src_column: column as u32,
            });
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever passes the depth check must fit on the stack, in debug builds too; refusing is fine, dying is not.
    #[test]
    fn deep_sources_do_not_overflow_the_stack() {
        let chains = [
            ("!", "1"),
            ("- ", "1"),
            ("x=>", "1"),
            ("if(1)", ";"),
            ("a?b:", "c"),
            ("1+", "1"),
            ("a.", "b"),
            ("a=", "1"),
            ("a??", "b"),
            ("new ", "A"),
            ("await ", "1"),
            ("a`", "`"),
            ("label:", ";"),
            ("else if(1){}", ""),
            ("({a:", "1"),
            ("[", "1"),
            ("(", "1"),
            ("{", ""),
            ("`${", "1"),
            ("f(", "1"),
            ("function f(){", ""),
            ("class A{static{", ""),
            ("a[", "1"),
            ("for(;;)", ";"),
            ("async()=>", "1"),
            ("...", "a"),
            ("a,", "b"),
        ];
        for (piece, end) in chains {
            for depth in [480, 7_500] {
                let start = if piece.starts_with("else") { "if(1){}" } else { "" };
                let source = format!("{start}{}{end}", piece.repeat(depth));
                for language in [Language::JavaScript, Language::TypeScript] {
                    let _ = compile("m", &source, language);
                }
            }
        }
        for (piece, end) in
            [("A<", "1"), ("keyof ", "A"), ("A extends B?C:", "D"), ("A|", "B"), ("()=>", "A")]
        {
            let _ = compile("m", &format!("type T = {}{end}", piece.repeat(2_500)), Language::TypeScript);
        }
    }
}
