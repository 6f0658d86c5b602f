//! Reads a parsed module: which of the gateway's functions it offers, what it imports, what it uses that modules may
//! not. Looks at the syntax tree only; must never guess from the text.

use oxc::ast::ast::{
    BindingPattern, Declaration, Decorator, ExportDefaultDeclarationKind, ExportSpecifier, Expression,
    ImportDeclarationSpecifier, ImportExpression, Program, PropertyKey, Statement,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::{GetSpan, Span};

use crate::module::{Function, Functions};

/// Functions by how they are reached.
#[derive(Default)]
pub(crate) struct Offered {
    /// Exported under their name, or in the default export's object.
    pub(crate) exported: Functions,
    /// Declared at the top level and not exported: an export is appended for these.
    pub(crate) declared: Functions,
    /// Where the statement stands that exports `scheduled`.
    pub(crate) scheduled_at: Option<u32>,
}

/// Which of the gateway's functions the module offers.
pub(crate) fn offered(program: &Program<'_>) -> Offered {
    let mut offered = Offered::default();
    // A name that an export statement uses may not be exported a second time, even as `export *`'s rival.
    let mut taken = Functions::default();
    for statement in &program.body {
        match statement {
            Statement::ExportNamedDeclaration(export) if !export.export_kind.is_type() => {
                taken_by(&export.specifiers, &mut |f| {
                    taken.add(f);
                    offered.exported.add(f);
                });
            }
            Statement::ExportFromDeclaration(export) if !export.export_kind.is_type() => {
                taken_by(&export.specifiers, &mut |f| {
                    taken.add(f);
                    offered.exported.add(f);
                });
            }
            Statement::ExportDeclaration(export) => declared_in(&export.declaration, &mut |f| {
                taken.add(f);
                offered.exported.add(f);
            }),
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) if function.body.is_some() => {
                    if let Some(f) = function.id.as_ref().and_then(|id| Function::named(&id.name)) {
                        offered.declared.add(f);
                    }
                }
                ExportDefaultDeclarationKind::ObjectExpression(object) => {
                    let keys = object.properties.iter().filter_map(|p| p.as_property());
                    for key in keys.filter_map(|p| named_key(&p.key)) {
                        offered.exported.add(key);
                    }
                }
                _ => {}
            },
            Statement::FunctionDeclaration(function) if function.body.is_some() && !function.declare => {
                if let Some(f) = function.id.as_ref().and_then(|id| Function::named(&id.name)) {
                    offered.declared.add(f);
                }
            }
            Statement::VariableDeclaration(variables) if !variables.declare => {
                variables_in(variables, &mut |f| offered.declared.add(f));
            }
            _ => {}
        }
        if offered.scheduled_at.is_none() && offered.exported.has(Function::Scheduled) {
            offered.scheduled_at = Some(statement.span().start);
        }
    }
    // What runs by itself must be exported by name: a helper that happens to be called `scheduled` is none.
    let counts = |f: &Function| !taken.has(*f) && *f != Function::Scheduled;
    offered.declared = offered.declared.iter().filter(counts).collect();
    offered
}

fn taken_by(specifiers: &[ExportSpecifier<'_>], add: &mut dyn FnMut(Function)) {
    for specifier in specifiers.iter().filter(|s| !s.export_kind.is_type()) {
        if let Some(f) = Function::named(&specifier.exported.name()) {
            add(f);
        }
    }
}

fn declared_in(declaration: &Declaration<'_>, add: &mut dyn FnMut(Function)) {
    match declaration {
        Declaration::FunctionDeclaration(function) if function.body.is_some() => {
            if let Some(f) = function.id.as_ref().and_then(|id| Function::named(&id.name)) {
                add(f);
            }
        }
        Declaration::VariableDeclaration(variables) if !variables.declare => variables_in(variables, add),
        _ => {}
    }
}

fn variables_in(variables: &oxc::ast::ast::VariableDeclaration<'_>, add: &mut dyn FnMut(Function)) {
    for variable in variables.declarations.iter().filter(|v| v.init.is_some()) {
        if let BindingPattern::BindingIdentifier(id) = &variable.id
            && let Some(f) = Function::named(&id.name)
        {
            add(f);
        }
    }
}

fn named_key(key: &PropertyKey<'_>) -> Option<Function> {
    key.static_name().and_then(|name| Function::named(&name))
}

/// An import statement, a re-export or an `import()` with a literal.
pub(crate) struct Wanted {
    pub(crate) specifier: String,
    pub(crate) span: Span,
    pub(crate) names: Vec<(String, Span)>,
}

/// Everything the module imports, in order. Call it after types were stripped: type-only imports are gone then.
pub(crate) fn imports(program: &Program<'_>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for statement in &program.body {
        match statement {
            Statement::ImportDeclaration(import) if !import.import_kind.is_type() => {
                let names = import.specifiers.iter().flatten().filter_map(|s| match s {
                    ImportDeclarationSpecifier::ImportSpecifier(s) if s.import_kind.is_type() => None,
                    ImportDeclarationSpecifier::ImportSpecifier(s) => {
                        Some((s.imported.name().to_string(), s.span))
                    }
                    ImportDeclarationSpecifier::ImportDefaultSpecifier(s) => Some(("default".into(), s.span)),
                    ImportDeclarationSpecifier::ImportNamespaceSpecifier(_) => None,
                });
                wanted.push(Wanted {
                    specifier: import.source.value.to_string(),
                    span: import.source.span,
                    names: names.collect(),
                });
            }
            Statement::ExportFromDeclaration(export) if !export.export_kind.is_type() => {
                let values = export.specifiers.iter().filter(|s| !s.export_kind.is_type());
                wanted.push(Wanted {
                    specifier: export.source.value.to_string(),
                    span: export.source.span,
                    names: values.map(|s| (s.local.name().to_string(), s.span)).collect(),
                });
            }
            Statement::ExportAllDeclaration(export) if !export.export_kind.is_type() => {
                wanted.push(Wanted {
                    specifier: export.source.value.to_string(),
                    span: export.source.span,
                    names: vec![],
                });
            }
            _ => {}
        }
    }
    let mut dynamic = Dynamic::default();
    dynamic.visit_program(program);
    wanted.extend(dynamic.wanted);
    wanted
}

#[derive(Default)]
struct Dynamic {
    wanted: Vec<Wanted>,
    refused: Vec<(Span, &'static str)>,
}

impl<'a> Visit<'a> for Dynamic {
    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        match &import.source {
            Expression::StringLiteral(name) => {
                self.wanted.push(Wanted {
                    specifier: name.value.to_string(),
                    span: name.span,
                    names: vec![],
                });
            }
            _ => self
                .refused
                .push((import.span, "import() needs a plain string: the graph is known before it runs")),
        }
        walk::walk_import_expression(self, import);
    }

    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.refused.push((decorator.span, "decorators are not supported"));
    }
}

/// What the module uses that modules may not, with the reason.
pub(crate) fn refused(program: &Program<'_>) -> Vec<(Span, &'static str)> {
    let mut found = Dynamic::default();
    found.visit_program(program);
    found.refused
}
