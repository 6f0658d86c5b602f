//! A set of methods, as small as it can be: it stands in every node of the path tree that a route ends at.

const STANDARD: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A set of methods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MethodSet {
    others: Option<Box<Others>>,
    standard: u16,
    any: bool,
}

/// Methods that are not among the standard ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Others(Vec<Box<str>>);

impl MethodSet {
    /// Every method.
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    fn others(&self) -> &[Box<str>] {
        self.others.as_deref().map_or(&[], |others| &others.0)
    }

    /// Adds one method by its token; methods are case-sensitive (RFC 9110 section 9.1).
    pub fn insert(&mut self, method: &str) {
        match STANDARD.iter().position(|known| *known == method) {
            Some(bit) => self.standard |= 1 << bit,
            None if self.others().iter().any(|known| **known == *method) => {}
            None => self.others.get_or_insert_default().0.push(method.into()),
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
            _ => return self.any || self.others().iter().any(|known| **known == *method.as_str()),
        };
        self.any || self.standard & (1 << bit) != 0
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.any |= other.any;
        self.standard |= other.standard;
        for method in other.others() {
            self.insert(method);
        }
    }

    /// The value of an `Allow` field (RFC 9110 section 10.2.1).
    pub fn allow(&self) -> String {
        let standard = STANDARD.iter().enumerate().filter(|(bit, _)| self.standard & (1 << bit) != 0);
        let names: Vec<&str> =
            standard.map(|(_, name)| *name).chain(self.others().iter().map(|name| &**name)).collect();
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
