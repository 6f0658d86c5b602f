//! What the types say, read with the parser that compiles modules.

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    BindingPattern, Class, ClassElement, Declaration, Expression, MethodDefinitionKind, PropertyKey,
    Statement, TSAccessibility, TSInterfaceDeclaration, TSSignature, TSType,
};
use oxc::parser::Parser;
use oxc::span::SourceType;

use crate::Surface;

/// Interfaces that stand for objects of the engine; the others describe arguments and results.
const OBJECTS: &[&str] = &[
    "Context",
    "GatewayRequest",
    "UpstreamResponse",
    "GatewayResponse",
    "Fields",
    "Query",
    "Trailer",
    "Hash",
    "Console",
    "Performance",
    "Crypto",
    "SubtleCrypto",
    "Matchers",
];

/// Everything in the file. Modules under `dgate/…` are the same again.
pub(crate) fn surface() -> Surface {
    let arena = Allocator::default();
    let parsed = Parser::new(&arena, tidegate_js::TYPES, SourceType::d_ts()).parse();
    let faults: Vec<String> = parsed.diagnostics.into_vec().iter().map(|d| d.message.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let mut surface = Surface::new();
    for statement in &parsed.program.body {
        match statement {
            Statement::TSExternalModuleDeclaration(module) if module.id.value.starts_with("tidegate") => {
                let body = module.body.as_ref().map_or(&[][..], |body| &body.body[..]);
                for inner in body {
                    exported(inner, &module.id.value, &mut surface);
                }
            }
            Statement::TSExternalModuleDeclaration(_) => {}
            other => match other.as_declaration() {
                Some(declaration) => declared(declaration, "globals", &mut surface),
                None => panic!("an unexpected statement"),
            },
        }
    }
    surface
}

fn exported(statement: &Statement<'_>, module: &str, surface: &mut Surface) {
    match statement {
        Statement::ExportDeclaration(export) => declared(&export.declaration, module, surface),
        Statement::ExportFromDeclaration(export) => {
            for specifier in &export.specifiers {
                put(surface, format!("{module}.{}", specifier.exported.name()), "value");
            }
        }
        Statement::ExportDefaultDeclaration(_) => put(surface, format!("{module}.default"), "value"),
        // Types that are not exported, and imports of types.
        _ => {}
    }
}

fn put(surface: &mut Surface, at: String, kind: &str) {
    surface.insert(at, kind.to_owned());
}

fn declared(declaration: &Declaration<'_>, place: &str, surface: &mut Surface) {
    match declaration {
        Declaration::FunctionDeclaration(function) => {
            let name = function.id.as_ref().map(|id| id.name.to_string()).unwrap_or_default();
            put(surface, format!("{place}.{name}"), "function");
        }
        Declaration::VariableDeclaration(variables) => {
            for variable in &variables.declarations {
                let BindingPattern::BindingIdentifier(id) = &variable.id else { panic!("a plain name") };
                let at = format!("{place}.{}", id.name);
                let kind = &variable.type_annotation.as_ref().expect("a type").type_annotation;
                value(&at, kind, surface);
            }
        }
        Declaration::ClassDeclaration(class) => of_class(class, place, surface),
        Declaration::TSInterfaceDeclaration(interface) if OBJECTS.contains(&interface.id.name.as_str()) => {
            of_interface(interface, surface);
        }
        _ => {}
    }
}

/// A constant: a function by its type, or an object whose members are written out.
fn value(at: &str, kind: &TSType<'_>, surface: &mut Surface) {
    match kind {
        TSType::TSTypeLiteral(literal) => {
            let is_called = literal
                .members
                .iter()
                .any(|member| matches!(member, TSSignature::TSCallSignatureDeclaration(_)));
            put(surface, at.to_owned(), if is_called { "function" } else { "value" });
            literal.members.iter().for_each(|member| signature(at, member, surface));
        }
        TSType::TSTypeReference(reference) => {
            let name = reference.type_name.to_string();
            let is_function = ["Digest", "Announce"].contains(&name.as_str());
            put(surface, at.to_owned(), if is_function { "function" } else { "value" });
        }
        _ => put(surface, at.to_owned(), "value"),
    }
}

fn name_of(key: &PropertyKey<'_>) -> String {
    match key {
        PropertyKey::StaticMemberExpression(member) => match &member.object {
            Expression::Identifier(object) => format!("[{}.{}]", object.name, member.property.name),
            _ => panic!("an unexpected key"),
        },
        other => other.static_name().expect("a plain name").into_owned(),
    }
}

fn signature(at: &str, member: &TSSignature<'_>, surface: &mut Surface) {
    match member {
        TSSignature::TSMethodSignature(method) => {
            put(surface, format!("{at}.{}", name_of(&method.key)), "method")
        }
        TSSignature::TSPropertySignature(property) => {
            put(surface, format!("{at}.{}", name_of(&property.key)), "property");
        }
        _ => {}
    }
}

fn of_interface(interface: &TSInterfaceDeclaration<'_>, surface: &mut Surface) {
    interface.body.body.iter().for_each(|member| signature(&interface.id.name, member, surface));
}

fn of_class(class: &Class<'_>, place: &str, surface: &mut Surface) {
    let name = class.id.as_ref().map(|id| id.name.to_string()).unwrap_or_default();
    let at = format!("{place}.{name}");
    put(surface, at.clone(), "class");
    for element in &class.body.body {
        match element {
            ClassElement::MethodDefinition(method) if method.kind == MethodDefinitionKind::Constructor => {}
            ClassElement::MethodDefinition(method) => {
                let side = if method.r#static { " static" } else { "" };
                put(surface, format!("{at}{side}.{}", name_of(&method.key)), "method");
            }
            ClassElement::PropertyDefinition(property) => {
                assert_ne!(property.accessibility, Some(TSAccessibility::Private));
                let side = if property.r#static { " static" } else { "" };
                put(surface, format!("{at}{side}.{}", name_of(&property.key)), "property");
            }
            _ => panic!("an unexpected member of {name}"),
        }
    }
}
