//! Whether a module can remember anything from one call to the next. Most cannot: their top level has functions, classes
//! and plain constants, and what a call changes is its own. Everything that is not known to be so counts as remembering;
//! this must never guess in the other direction.

use std::collections::HashMap;

use oxc::ast::ast::{
    Argument, BinaryExpression, BindingPattern, BindingProperty, CallExpression, Class, ClassElement,
    ComputedMemberExpression, Declaration, ExportDefaultDeclarationKind, ExportNamedDeclaration, Expression,
    Function, IdentifierReference, ImportDeclaration, ImportExpression, ImportMeta, NewExpression, Program,
    RegExpFlags, SimpleAssignmentTarget, Statement, StaticMemberExpression, StringLiteral, TemplateLiteral,
    UnaryExpression, UnaryOperator, VariableDeclaration,
};
use oxc::ast_visit::{Visit, walk};
use oxc::semantic::{Scoping, SymbolId};

/// What a name of the top level stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// A value that nothing can be changed in.
    Plain,
    /// A function, a class, an expression for texts, something imported: an object, but nobody here changes it.
    Object,
}

/// Property names by which a call could reach what all calls share.
const SHARED: [&str; 5] = ["prototype", "constructor", "__proto__", "getPrototypeOf", "setPrototypeOf"];

/// Reads a module as it runs, without types.
pub(super) fn remembers(program: &Program<'_>, scoping: &Scoping) -> bool {
    let mut reader = Reader { scoping, names: HashMap::new(), found: false };
    for statement in &program.body {
        reader.top(statement);
    }
    reader.found = reader.found || reader.names.keys().any(|symbol| scoping.symbol_is_mutated(*symbol));
    if !reader.found {
        reader.visit_program(program);
    }
    reader.found
}

struct Reader<'s> {
    scoping: &'s Scoping,
    names: HashMap<SymbolId, Name>,
    found: bool,
}

impl Reader<'_> {
    fn top(&mut self, statement: &Statement<'_>) {
        match statement {
            Statement::EmptyStatement(_)
            | Statement::ExportNamedDeclaration(_)
            | Statement::ExportFromDeclaration(_)
            | Statement::ExportAllDeclaration(_) => {}
            Statement::ImportDeclaration(import) => self.imported(import),
            Statement::FunctionDeclaration(function) => self.function(function),
            Statement::ClassDeclaration(class) => self.class(class),
            Statement::VariableDeclaration(variables) => self.variables(variables),
            Statement::ExportDeclaration(export) => match &export.declaration {
                Declaration::FunctionDeclaration(function) => self.function(function),
                Declaration::ClassDeclaration(class) => self.class(class),
                Declaration::VariableDeclaration(variables) => self.variables(variables),
                _ => self.found = true,
            },
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) => self.function(function),
                ExportDefaultDeclarationKind::ClassDeclaration(class) => self.class(class),
                ExportDefaultDeclarationKind::ArrowFunctionExpression(_)
                | ExportDefaultDeclarationKind::FunctionExpression(_) => {}
                _ => self.found = true,
            },
            _ => self.found = true,
        }
    }

    fn name(&mut self, symbol: Option<SymbolId>, name: Name) {
        match symbol {
            Some(symbol) => drop(self.names.insert(symbol, name)),
            None => self.found = true,
        }
    }

    fn imported(&mut self, import: &ImportDeclaration<'_>) {
        for specifier in import.specifiers.iter().flatten() {
            self.name(specifier.local().symbol_id.get(), Name::Object);
        }
    }

    fn function(&mut self, function: &Function<'_>) {
        if let Some(id) = &function.id {
            self.name(id.symbol_id.get(), Name::Object);
        }
    }

    fn class(&mut self, class: &Class<'_>) {
        if let Some(id) = &class.id {
            self.name(id.symbol_id.get(), Name::Object);
        }
    }

    fn variables(&mut self, variables: &VariableDeclaration<'_>) {
        for variable in &variables.declarations {
            let name = variable.init.as_ref().and_then(|init| self.value(init));
            match (&variable.id, name) {
                (BindingPattern::BindingIdentifier(id), Some(name)) => self.name(id.symbol_id.get(), name),
                _ => self.found = true,
            }
        }
    }

    /// What a variable of the top level begins with; `None`: something that can be changed.
    fn value(&self, init: &Expression<'_>) -> Option<Name> {
        match init.without_parentheses() {
            Expression::ArrowFunctionExpression(_)
            | Expression::FunctionExpression(_)
            | Expression::ClassExpression(_) => Some(Name::Object),
            // Those that remember where they were stay out.
            Expression::RegExpLiteral(found) => {
                (!found.regex.flags.intersects(RegExpFlags::G | RegExpFlags::Y)).then_some(Name::Object)
            }
            plain => self.is_plain(plain).then_some(Name::Plain),
        }
    }

    fn is_plain(&self, value: &Expression<'_>) -> bool {
        match value.without_parentheses() {
            Expression::StringLiteral(_)
            | Expression::NumericLiteral(_)
            | Expression::BooleanLiteral(_)
            | Expression::NullLiteral(_)
            | Expression::BigIntLiteral(_) => true,
            Expression::TemplateLiteral(text) => text.expressions.iter().all(|part| self.is_plain(part)),
            Expression::UnaryExpression(unary) => self.is_plain(&unary.argument),
            Expression::BinaryExpression(binary) => {
                self.is_plain(&binary.left) && self.is_plain(&binary.right)
            }
            Expression::Identifier(id) => self.of(id) == Some(Name::Plain),
            _ => false,
        }
    }

    /// What a name means, if it is one of the top level.
    fn of(&self, id: &IdentifierReference<'_>) -> Option<Name> {
        self.names.get(&self.symbol(id)?).copied()
    }

    fn symbol(&self, id: &IdentifierReference<'_>) -> Option<SymbolId> {
        self.scoping.get_reference(id.reference_id.get()?).symbol_id()
    }

    /// Whether what is changed here belongs to the call: it was reached from a variable or parameter of a function.
    fn is_own(&self, changed: &Expression<'_>) -> bool {
        match changed.without_parentheses() {
            Expression::Identifier(id) => self.symbol(id).is_some_and(|s| !self.names.contains_key(&s)),
            Expression::ThisExpression(_) => true,
            Expression::StaticMemberExpression(member) => self.is_own(&member.object),
            Expression::ComputedMemberExpression(member) => self.is_own(&member.object),
            Expression::PrivateFieldExpression(member) => self.is_own(&member.object),
            Expression::CallExpression(call) => self.is_own(&call.callee),
            Expression::AwaitExpression(awaited) => self.is_own(&awaited.argument),
            _ => false,
        }
    }

    /// A place where an object of the top level does no harm: it is called, compared, or becomes text.
    fn harmless<'a>(&mut self, place: &Expression<'a>) {
        if !matches!(place.without_parentheses(), Expression::Identifier(_)) {
            self.visit_expression(place);
        }
    }

    /// What is called: a function of the top level, or a method of something imported.
    fn callee<'a>(&mut self, callee: &Expression<'a>) {
        match callee.without_parentheses() {
            Expression::StaticMemberExpression(member) if is_name(&member.object) => {
                let on_object =
                    matches!(&member.object, Expression::Identifier(id) if self.of(id) == Some(Name::Object));
                let is_change =
                    member.property.name == "compile" || member.property.name.starts_with("__define");
                self.found |= on_object && is_change || SHARED.contains(&member.property.name.as_str());
            }
            other => self.harmless(other),
        }
    }

    fn arguments<'a>(&mut self, callee: &Expression<'a>, arguments: &[Argument<'a>]) {
        // Given to a builtin or to a method, an object of the top level is called or read. Those of `Object` and
        // `Reflect` change what they get, and so may a function of the module's own.
        let is_given_away = match callee.without_parentheses() {
            Expression::Identifier(id) => self.symbol(id).is_none(),
            Expression::StaticMemberExpression(member) => {
                !matches!(&member.object, Expression::Identifier(id)
                if self.symbol(id).is_none() && matches!(id.name.as_str(), "Object" | "Reflect"))
            }
            _ => false,
        };
        for argument in arguments {
            match argument.as_expression() {
                Some(expression) if is_given_away => self.harmless(expression),
                _ => self.visit_argument(argument),
            }
        }
    }
}

fn is_name(expression: &Expression<'_>) -> bool {
    matches!(expression, Expression::Identifier(_))
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_identifier_reference(&mut self, id: &IdentifierReference<'a>) {
        self.found |= self.of(id) == Some(Name::Object);
    }

    fn visit_export_named_declaration(&mut self, _: &ExportNamedDeclaration<'a>) {}

    fn visit_import_meta(&mut self, _: &ImportMeta) {
        self.found = true;
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        self.found |= SHARED.contains(&member.property.name.as_str());
        walk::walk_static_member_expression(self, member);
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'a>) {
        let is_shared = |name: &StringLiteral<'a>| SHARED.contains(&name.value.as_str());
        self.found |= matches!(&member.expression, Expression::StringLiteral(name) if is_shared(name));
        walk::walk_computed_member_expression(self, member);
    }

    fn visit_binding_property(&mut self, property: &BindingProperty<'a>) {
        self.found |= property.key.static_name().is_some_and(|name| SHARED.contains(&&*name));
        walk::walk_binding_property(self, property);
    }

    fn visit_import_expression(&mut self, _: &ImportExpression<'a>) {
        self.found = true;
    }

    fn visit_simple_assignment_target(&mut self, target: &SimpleAssignmentTarget<'a>) {
        let is_own = match target {
            SimpleAssignmentTarget::AssignmentTargetIdentifier(id) => {
                self.symbol(id).is_some_and(|symbol| !self.names.contains_key(&symbol))
            }
            SimpleAssignmentTarget::StaticMemberExpression(member) => self.is_own(&member.object),
            SimpleAssignmentTarget::ComputedMemberExpression(member) => self.is_own(&member.object),
            SimpleAssignmentTarget::PrivateFieldExpression(member) => self.is_own(&member.object),
            _ => false,
        };
        self.found |= !is_own;
        walk::walk_simple_assignment_target(self, target);
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'a>) {
        if unary.operator == UnaryOperator::Delete {
            self.found |= !self.is_own(&unary.argument);
            self.visit_expression(&unary.argument);
        } else {
            self.harmless(&unary.argument);
        }
    }

    fn visit_binary_expression(&mut self, binary: &BinaryExpression<'a>) {
        self.harmless(&binary.left);
        self.harmless(&binary.right);
    }

    fn visit_template_literal(&mut self, text: &TemplateLiteral<'a>) {
        text.expressions.iter().for_each(|part| self.harmless(part));
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.callee(&call.callee);
        self.arguments(&call.callee, &call.arguments);
    }

    fn visit_new_expression(&mut self, made: &NewExpression<'a>) {
        self.callee(&made.callee);
        made.arguments.iter().for_each(|argument| self.visit_argument(argument));
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        if let Some(heritage) = &class.heritage {
            self.harmless(&heritage.expression);
        }
        self.visit_class_body(&class.body);
    }

    fn visit_class_element(&mut self, element: &ClassElement<'a>) {
        self.found |= match element {
            ClassElement::MethodDefinition(method) => method.r#static,
            ClassElement::PropertyDefinition(property) => property.r#static,
            _ => true,
        };
        walk::walk_class_element(self, element);
    }
}

#[cfg(test)]
mod tests {
    use crate::module::Language;
    use crate::positions::Positions;

    fn remembers(source: &str) -> bool {
        let compiled = crate::compile("m", source, Language::TypeScript).expect("it compiles");
        Positions::decode(&compiled.source_map).expect("a map").remembers
    }

    #[test]
    fn what_is_made_anew_by_every_call_is_forgotten() {
        for source in [
            "",
            "export function requestModifier(ctx: any) { ctx.request().headers.set('x', '1') }",
            "export const requestModifier = async (ctx: any) => { await ctx.request().readBody() }",
            "export default function requestModifier() {}",
            "const N = 24 * 3600, T = `${N} s`, S = -1; export function f() { let n = N; n += 1; return `${T}${n}${S}` }",
            "interface A { b: string } type C = A; export function f(a: A) { a.b = 'x'; a['c'].d++; delete a.b }",
            "import { getCache, setCache } from 'tidegate/storage'; export function f() { setCache('n', getCache('n')) }",
            "import * as state from 'dgate/state'; export function f() { return state.getDocument('a', 'b') }",
            "import { NAME, mark } from './other'; export function f(ctx: any) { mark(ctx); ctx.set(NAME, NAME + 1) }",
            "const RE = /^a+$/i; export function f(s: string) { return RE.test(s) ? s.replace(RE, '') : s }",
            "function even(n: number) { return n % 2 === 0 } export function f(l: number[]) { return l.filter(even) }",
            "class A { #n = 0; up() { this.#n++; return this } } export function f() { return new A().up() }",
            "class A extends Error {} export function f(e: any) { if (e instanceof A) throw e; throw new A('x') }",
            "export async function f(ctx: any) { (await ctx.upstream()).statusCode = 201; const m = new Map(); m.set(1, 2) }",
            "function f() {} export { f as requestModifier }; export * from './other'; export { x } from './third'",
            "function deep(n: number): number { const t = { a: [n] }; for (t.a[0] of [1]) {} return n ? deep(n - 1) : 0 }
             export function f(x: any) { [x.a, x.b] = [x.b, x.a]; ({ c: x.c } = x); deep(3) }",
        ] {
            assert!(!remembers(source), "{source}");
        }
    }

    #[test]
    fn whatever_may_last_is_remembered() {
        for source in [
            "let n = 0; export function f() { n++ }",
            "let n; export function f() { [n] = [1] }",
            "const seen = new Map(); export function f() {}",
            "const list = ['a']; export function f() {}",
            "const table = { a: 1 }; export function f() {}",
            "const RE = /a/g; export function f() {}",
            "const RE = /a/; export function f() { RE.lastIndex = 1 }",
            "const RE = /a/; export function f() { RE.compile('b') }",
            "export function f() { f.count = 1 }",
            "export function f() { f['count'] = 1 }",
            "function g() {} export function f() { const h = g; h.count = 1 }",
            "function g() {} export function f() { Object.assign(g, { count: 1 }) }",
            "function g() {} function set(x: any) { x.count = 1 } export function f() { set(g) }",
            "function g() {} const all = () => [g]; export function f() {}",
            "function g() {} export function f() { g.__defineGetter__('a', () => 1) }",
            "export function f(x: any) { x.constructor.count = 1 }",
            "export function f(x: any) { const { constructor } = x; constructor.count = 1 }",
            "export function f(x: any) { const { setPrototypeOf: change } = Object; change(x, { count: 1 }) }",
            "export function f(x: any) { x['__proto__'].count = 1 }",
            "export function f(x: any) { Object.getPrototypeOf(x).count = 1 }",
            "export function f() { Array.prototype.map.count = 1 }",
            "class A { static n = 0 } export function f() {}",
            "class A { static up() {} } export function f() {}",
            "class A { static { } } export function f() {}",
            "class A {} export function f() { A.prototype.n = 1 }",
            "class A {} const a = new A(); export function f() {}",
            "const next = (() => { let n = 0; return () => ++n })(); export function f() { next() }",
            "enum E { A } export function f() {}",
            "export default { requestModifier() { this.n = 1 } }",
            "console.log('up'); export function f() {}",
            "globalThis.n = 1; export function f() {}",
            "export function f() { globalThis.n = 1 }",
            "import * as lib from './lib'; export function f() { lib.g.n = 1 }",
            "import { g } from './lib'; export function f() { g.n = 1 }",
            "export async function f() { const lib = await import('./lib'); lib.g.n = 1 }",
            "export function f() { import.meta.n = 1 }",
            "const now = performance.now(); export function f() {}",
            "const { a } = Math; export function f() {}",
            "if (Math.random() > 2) throw 1; export function f() {}",
        ] {
            assert!(remembers(source), "{source}");
        }
    }
}
