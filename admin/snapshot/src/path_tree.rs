//! Path and method to route: a tree of segments, searched with backtracking in the order literal, expression,
//! parameter, rest, whose cost depends on the path's length and not on the number of routes. Built once by the admin,
//! searched by every shard. A search allocates nothing.

use crate::path_pattern::{PathPattern, Piece};
use std::collections::HashMap;
use std::ops::Range;

pub use crate::path_pattern::MAX_PARAMS;

const STANDARD: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A set of methods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MethodSet {
    any: bool,
    standard: u16,
    others: Vec<Box<str>>,
}

impl MethodSet {
    /// Every method.
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Adds one method by its token; methods are case-sensitive (RFC 9110 section 9.1).
    pub fn insert(&mut self, method: &str) {
        match STANDARD.iter().position(|known| *known == method) {
            Some(bit) => self.standard |= 1 << bit,
            None if self.others.iter().any(|known| **known == *method) => {}
            None => self.others.push(method.into()),
        }
    }

    /// Whether `method` is in the set.
    pub fn contains(&self, method: &http::Method) -> bool {
        use http::Method as M;
        let bit = match *method {
            M::GET => 0,
            M::HEAD => 1,
            M::POST => 2,
            M::PUT => 3,
            M::DELETE => 4,
            M::CONNECT => 5,
            M::OPTIONS => 6,
            M::TRACE => 7,
            M::PATCH => 8,
            _ => return self.any || self.others.iter().any(|known| **known == *method.as_str()),
        };
        self.any || self.standard & (1 << bit) != 0
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.any |= other.any;
        self.standard |= other.standard;
        for method in &other.others {
            self.insert(method);
        }
    }

    /// The value of an `Allow` field (RFC 9110 section 10.2.1).
    pub fn allow(&self) -> String {
        let standard = STANDARD.iter().enumerate().filter(|(bit, _)| self.standard & (1 << bit) != 0);
        let names: Vec<&str> =
            standard.map(|(_, name)| *name).chain(self.others.iter().map(|name| &**name)).collect();
        names.join(", ")
    }
}

impl<'a> FromIterator<&'a str> for MethodSet {
    fn from_iter<I: IntoIterator<Item = &'a str>>(methods: I) -> Self {
        let mut set = Self::default();
        methods.into_iter().for_each(|method| set.insert(method));
        set
    }
}

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
    methods: MethodSet,
    names: Box<[Box<str>]>,
    value: T,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<Box<[u8]>, u32>,
    expressions: Vec<(regex::bytes::Regex, u32)>,
    param: Option<u32>,
    any: Option<u32>,
    /// Longest prefix first.
    rests: Vec<(Box<[u8]>, Vec<Entry<T>>)>,
    here: Vec<Entry<T>>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self {
            literals: HashMap::new(),
            expressions: Vec::new(),
            param: None,
            any: None,
            rests: Vec::new(),
            here: Vec::new(),
        }
    }
}

/// The tree. `T` is what a match yields.
#[derive(Debug)]
pub struct PathTree<T> {
    nodes: Vec<Node<T>>,
}

impl<T> Default for PathTree<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

struct Search<'p> {
    path: &'p [u8],
    method: &'p http::Method,
    allowed: Option<MethodSet>,
}

impl<T> PathTree<T> {
    fn child(&mut self, node: usize, piece: &Piece) -> usize {
        let fresh = self.nodes.len() as u32;
        let parent = &mut self.nodes[node];
        let child = match piece {
            Piece::Literal(bytes) => *parent.literals.entry(bytes.clone()).or_insert(fresh),
            Piece::Param => *parent.param.get_or_insert(fresh),
            Piece::Any => *parent.any.get_or_insert(fresh),
            Piece::Regex(regex) => {
                let known = parent.expressions.iter().find(|(other, _)| other.as_str() == regex.as_str());
                known.map_or(fresh, |(_, child)| *child)
            }
            Piece::Rest(_) => unreachable!("a rest is a leaf"),
        };
        if child == fresh {
            if let Piece::Regex(regex) = piece {
                parent.expressions.push((regex.clone(), fresh));
            }
            self.nodes.push(Node::default());
        }
        child as usize
    }

    /// Adds a pattern. Where two entries answer the same pattern and method, the first inserted wins.
    pub fn insert(&mut self, pattern: &PathPattern, methods: MethodSet, value: T) {
        let mut node = 0;
        let entry = Entry { methods, names: pattern.names.clone(), value };
        for piece in &pattern.pieces {
            if let Piece::Rest(prefix) = piece {
                let rests = &mut self.nodes[node].rests;
                match rests.iter_mut().find(|(other, _)| other == prefix) {
                    Some((_, entries)) => entries.push(entry),
                    None => {
                        let at = rests.partition_point(|(other, _)| other.len() >= prefix.len());
                        rests.insert(at, (prefix.clone(), vec![entry]));
                    }
                }
                return;
            }
            node = self.child(node, piece);
        }
        self.nodes[node].here.push(entry);
    }

    /// Finds the route of a canonical path, which starts with `/`.
    pub fn find<'a>(&'a self, path: &[u8], method: &http::Method) -> Found<'a, T> {
        if path.first() != Some(&b'/') {
            return Found::Nothing;
        }
        let mut search = Search { path, method, allowed: None };
        match self.descend(0, 1, &Params::default(), &mut search) {
            Some(found) => Found::Match(found),
            None => search.allowed.map_or(Found::Nothing, Found::MethodNotAllowed),
        }
    }

    fn pick<'a>(entries: &'a [Entry<T>], search: &mut Search<'_>) -> Option<&'a Entry<T>> {
        let found = entries.iter().find(|entry| entry.methods.contains(search.method));
        if found.is_none() {
            for entry in entries {
                search.allowed.get_or_insert_default().extend(&entry.methods);
            }
        }
        found
    }

    /// `start` is where the next segment begins; behind the path's end there is none left.
    fn descend<'a>(
        &'a self,
        node: u32,
        start: usize,
        params: &Params,
        search: &mut Search<'_>,
    ) -> Option<Match<'a, T>> {
        let node = &self.nodes[node as usize];
        if start > search.path.len() {
            let entry = Self::pick(&node.here, search)?;
            return Some(Match {
                value: &entry.value,
                names: &entry.names,
                params: params.clone(),
                rest: None,
            });
        }
        let length = search.path[start..].iter().position(|b| *b == b'/');
        let end = length.map_or(search.path.len(), |length| start + length);
        let segment = &search.path[start..end];
        if let Some(child) = node.literals.get(segment)
            && let Some(found) = self.descend(*child, end + 1, params, search)
        {
            return Some(found);
        }
        for (regex, child) in &node.expressions {
            let Some(groups) = regex.captures(segment) else { continue };
            let mut params = params.clone();
            for group in groups.iter().skip(1).flatten() {
                params.push(start + group.start()..start + group.end());
            }
            if let Some(found) = self.descend(*child, end + 1, &params, search) {
                return Some(found);
            }
        }
        if !segment.is_empty() {
            if let Some(child) = node.param {
                let mut params = params.clone();
                params.push(start..end);
                if let Some(found) = self.descend(child, end + 1, &params, search) {
                    return Some(found);
                }
            }
            if let Some(child) = node.any
                && let Some(found) = self.descend(child, end + 1, params, search)
            {
                return Some(found);
            }
        }
        for (prefix, entries) in &node.rests {
            if search.path[start..].starts_with(prefix)
                && let Some(entry) = Self::pick(entries, search)
            {
                let (mut params, rest) = (params.clone(), start + prefix.len());
                params.push(rest..search.path.len());
                return Some(Match { value: &entry.value, names: &entry.names, params, rest: Some(rest) });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
