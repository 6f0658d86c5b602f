//! Path and method to route: a tree of segments, searched with backtracking in the order literal, expression,
//! parameter, rest, whose cost depends on the path's length and not on the number of routes. Built once by the admin,
//! searched by every shard. A search allocates nothing, and of memory that only one route needs it touches two lines: a
//! slot of its parent's table, and its node with all that a plain route is.

use crate::MethodSet;
use crate::literals::{Label, Literals, hash};
use crate::path_pattern::{PathPattern, Piece};
use std::num::NonZeroU32;
use std::ops::Range;

pub use crate::path_pattern::MAX_PARAMS;

/// Where the parameters of a match stand in the path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    len: u8,
    at: [(u32, u32); MAX_PARAMS],
}

impl Params {
    fn push(&mut self, range: Range<usize>) {
        // A pattern has at most MAX_PARAMS names, so the tree never gets here with a full list.
        if let Some(slot) = self.at.get_mut(usize::from(self.len)) {
            *slot = (range.start as u32, range.end as u32);
            self.len += 1;
        }
    }

    /// Ranges into the path, in the order of the pattern's names.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.at[..usize::from(self.len)].iter().map(|(start, end)| *start as usize..*end as usize)
    }
}

/// A match: the value, the names of its parameters and where they stand.
#[derive(Debug)]
pub struct Match<'a, T> {
    /// What the pattern was inserted with.
    pub value: &'a T,
    /// Names in order.
    pub names: &'a [Box<str>],
    /// Where they stand.
    pub params: Params,
    /// Start of the rest, where the pattern ends in one.
    pub rest: Option<usize>,
}

/// The outcome of a search.
#[derive(Debug)]
pub enum Found<'a, T> {
    /// A route answers this path and method.
    Match(Match<'a, T>),
    /// Routes answer this path, with these methods only.
    MethodNotAllowed(MethodSet),
    /// No route answers this path.
    Nothing,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    methods: MethodSet,
    names: Option<Box<Names>>,
}

#[derive(Debug)]
struct Names(Box<[Box<str>]>);

/// What ends with some bytes and whatever follows them.
#[derive(Debug)]
struct Rest<T> {
    prefix: Label,
    first: Entry<T>,
    others: Vec<Entry<T>>,
}

/// What a node has on its way to others, and a leaf has not.
#[derive(Debug)]
struct Branches<T> {
    literals: Literals,
    param: Option<NonZeroU32>,
    any: Option<NonZeroU32>,
    /// Longest prefix first.
    rests: Vec<Rest<T>>,
    expressions: Vec<(regex::bytes::Regex, u32)>,
    /// Entries of the node itself behind its first.
    others: Vec<Entry<T>>,
}

impl<T> Default for Branches<T> {
    fn default() -> Self {
        Self {
            literals: Literals::default(),
            param: None,
            any: None,
            rests: Vec::new(),
            expressions: Vec::new(),
            others: Vec::new(),
        }
    }
}

/// One line of memory, where `T` is a pointer.
#[derive(Debug)]
#[repr(C, align(64))]
struct Node<T> {
    /// The literal that leads here.
    label: Label,
    branches: Option<Box<Branches<T>>>,
    here: Option<Entry<T>>,
}

const _: () = assert!(size_of::<Node<std::sync::Arc<str>>>() == 128 && size_of::<Node<Box<u8>>>() == 64);

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self { label: label.into(), branches: None, here: None }
    }
}

/// The tree. `T` is what a match yields.
#[derive(Debug)]
pub struct PathTree<T> {
    nodes: Vec<Node<T>>,
}

impl<T> Default for PathTree<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(b"")] }
    }
}

struct Search<'p> {
    path: &'p [u8],
    method: &'p http::Method,
    params: Params,
    /// Start of the rest.
    rest: Option<usize>,
    allowed: Option<MethodSet>,
}

impl<T> PathTree<T> {
    fn child(&mut self, node: usize, piece: &Piece) -> usize {
        let fresh = self.nodes.len();
        let number = NonZeroU32::new(fresh as u32);
        let nodes = &self.nodes;
        let known = nodes[node].branches.as_ref().and_then(|branches| match piece {
            Piece::Literal(bytes) => {
                branches.literals.find(hash(bytes), |child| nodes[child as usize].label.bytes() == &**bytes)
            }
            Piece::Param => branches.param.map(u32::from),
            Piece::Any => branches.any.map(u32::from),
            Piece::Regex(regex) => {
                let known = branches.expressions.iter().find(|(other, _)| other.as_str() == regex.as_str());
                known.map(|(_, child)| *child)
            }
            Piece::Rest(_) => unreachable!("a rest is a leaf"),
        });
        if let Some(known) = known {
            return known as usize;
        }
        let branches = self.nodes[node].branches.get_or_insert_default();
        let mut label: &[u8] = b"";
        match piece {
            Piece::Literal(bytes) => {
                branches.literals.insert(hash(bytes), fresh as u32);
                label = bytes;
            }
            Piece::Param => branches.param = number,
            Piece::Any => branches.any = number,
            Piece::Regex(regex) => branches.expressions.push((regex.clone(), fresh as u32)),
            Piece::Rest(_) => unreachable!("a rest is a leaf"),
        }
        self.nodes.push(Node::new(label));
        fresh
    }

    /// Adds a pattern. Where two entries answer the same pattern and method, the first inserted wins.
    pub fn insert(&mut self, pattern: &PathPattern, methods: MethodSet, value: T) {
        let names = (!pattern.names.is_empty()).then(|| Box::new(Names(pattern.names.clone())));
        let (mut node, entry) = (0, Entry { value, methods, names });
        for piece in &pattern.pieces {
            if let Piece::Rest(prefix) = piece {
                let rests = &mut self.nodes[node].branches.get_or_insert_default().rests;
                match rests.iter_mut().find(|other| other.prefix.bytes() == &**prefix) {
                    Some(rest) => rest.others.push(entry),
                    None => {
                        let at = rests.partition_point(|other| other.prefix.bytes().len() >= prefix.len());
                        let prefix = Label::from(&**prefix);
                        rests.insert(at, Rest { prefix, first: entry, others: Vec::new() });
                    }
                }
                return;
            }
            node = self.child(node, piece);
        }
        let node = &mut self.nodes[node];
        match node.here {
            None => node.here = Some(entry),
            Some(_) => node.branches.get_or_insert_default().others.push(entry),
        }
    }

    /// Finds the route of a canonical path, which starts with `/`.
    pub fn find<'a>(&'a self, path: &[u8], method: &http::Method) -> Found<'a, T> {
        if path.first() != Some(&b'/') {
            return Found::Nothing;
        }
        let mut search = Search { path, method, params: Params::default(), rest: None, allowed: None };
        match self.descend(0, 1, &mut search) {
            Some(entry) => Found::Match(Match {
                value: &entry.value,
                names: entry.names.as_ref().map_or(&[], |names| &names.0),
                params: search.params,
                rest: search.rest,
            }),
            None => search.allowed.map_or(Found::Nothing, Found::MethodNotAllowed),
        }
    }

    /// The first that answers the method; where none does, their methods are noted.
    fn pick<'a>(
        first: &'a Entry<T>,
        others: &'a [Entry<T>],
        search: &mut Search<'_>,
    ) -> Option<&'a Entry<T>> {
        if first.methods.contains(search.method) {
            return Some(first);
        }
        let found = others.iter().find(|entry| entry.methods.contains(search.method));
        if found.is_none() {
            let allowed = search.allowed.get_or_insert_default();
            std::iter::once(first).chain(others).for_each(|entry| allowed.extend(&entry.methods));
        }
        found
    }

    /// `start` is where the next segment begins; behind the path's end there is none left.
    fn descend<'a>(&'a self, node: u32, start: usize, search: &mut Search<'_>) -> Option<&'a Entry<T>> {
        let node = &self.nodes[node as usize];
        if start > search.path.len() {
            let others = node.branches.as_ref().map_or(&[][..], |branches| &branches.others);
            return Self::pick(node.here.as_ref()?, others, search);
        }
        let branches = node.branches.as_deref()?;
        let path = search.path;
        let length = path[start..].iter().position(|b| *b == b'/');
        let end = length.map_or(path.len(), |length| start + length);
        let segment = &path[start..end];
        let is_it = |child: u32| self.nodes[child as usize].label.bytes() == segment;
        if !branches.literals.is_empty()
            && let Some(child) = branches.literals.find(hash(segment), is_it)
            && let Some(found) = self.descend(child, end + 1, search)
        {
            return Some(found);
        }
        let params = search.params.len;
        for (regex, child) in &branches.expressions {
            let Some(groups) = regex.captures(segment) else { continue };
            for group in groups.iter().skip(1).flatten() {
                search.params.push(start + group.start()..start + group.end());
            }
            if let Some(found) = self.descend(*child, end + 1, search) {
                return Some(found);
            }
            search.params.len = params;
        }
        if !segment.is_empty() {
            if let Some(child) = branches.param {
                search.params.push(start..end);
                if let Some(found) = self.descend(child.into(), end + 1, search) {
                    return Some(found);
                }
                search.params.len = params;
            }
            if let Some(child) = branches.any
                && let Some(found) = self.descend(child.into(), end + 1, search)
            {
                return Some(found);
            }
        }
        for Rest { prefix, first, others } in &branches.rests {
            let prefix = prefix.bytes();
            if path[start..].starts_with(prefix)
                && let Some(found) = Self::pick(first, others, search)
            {
                let rest = start + prefix.len();
                search.params.push(rest..path.len());
                search.rest = Some(rest);
                return Some(found);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
