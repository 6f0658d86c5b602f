//! Modules: QuickJS, TypeScript, budgets and the host interface.
