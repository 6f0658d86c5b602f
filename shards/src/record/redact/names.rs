//! Which names are those of credentials. They are compared as letters and digits in lower case, so that `API-KEY`,
//! `apiKey` and `api%5Fkey` are one; a new word here is redacted everywhere.

use super::layers::first;

/// A name that holds one of these names a credential.
const PARTS: [&[u8]; 20] = [
    b"token",
    b"secret",
    b"passw",
    b"passphrase",
    b"passcode",
    b"pincode",
    b"apikey",
    b"accesskey",
    b"privatekey",
    b"signature",
    b"credential",
    b"jwt",
    b"session",
    b"sessid",
    b"assertion",
    b"hmac",
    b"cookie",
    b"csrf",
    b"xsrf",
    b"saml",
];
/// Or has a word that ends so.
const ENDS: [&[u8]; 9] = [b"key", b"keys", b"sig", b"pwd", b"pass", b"cred", b"creds", b"ticket", b"auth"];
/// Or has one of these words, between punctuation or written in camel case.
const WORDS: [&[u8]; 13] = [
    b"pw", b"psw", b"pin", b"sid", b"sas", b"otp", b"totp", b"mfa", b"sso", b"wsse", b"bearer", b"sk",
    b"dpop",
];
/// Words of parameters alone: fields of that name are others.
const PARAMETERS: [&[u8]; 1] = [b"code"];
/// Fields that are credentials, besides those whose name says so: identities as tokens, and what browsers can only send
/// there.
const FIELDS: [&str; 2] = ["x-amzn-oidc-data", "sec-websocket-protocol"];
/// Authentication schemes: the registered ones (RFC 9110 section 16.4.1) and what clouds made of them.
const SCHEMES: [&[u8]; 20] = [
    b"basic",
    b"bearer",
    b"digest",
    b"negotiate",
    b"ntlm",
    b"kerberos",
    b"hoba",
    b"mutual",
    b"vapid",
    b"gnap",
    b"dpop",
    b"concealed",
    b"hawk",
    b"mac",
    b"oauth",
    b"jwt",
    b"ssws",
    b"signature",
    b"sharedaccesssignature",
    b"googlelogin",
];
/// And whatever begins or ends so: `AWS4-HMAC-SHA256`, `SCRAM-SHA-256`, `PrivateToken`, `SharedKey`.
const FAMILIES: ([&[u8]; 3], [&[u8]; 2]) = ([b"aws", b"scram", b"hmac"], [b"token", b"key"]);
/// A longer name is taken for a credential's: nobody's parameter has one.
const LONGEST: usize = 64;

/// A name's letters and digits in lower case, and where they were apart.
pub(super) struct Letters {
    bytes: [u8; LONGEST],
    length: usize,
    /// Bit `n`: before byte `n` stood something else, or it is a capital after a small letter.
    breaks: u64,
}

impl std::ops::Deref for Letters {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Letters {
    fn is_end(&self, at: usize) -> bool {
        at == self.length || self.breaks >> at & 1 == 1
    }

    /// The words, one after another.
    fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        let ends = (1..=self.length).filter(|at| self.is_end(*at));
        ends.map(move |end| &self[std::mem::replace(&mut begin, end)..end])
    }

    /// Every row of neighbouring words, the whole name among them.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[u8]> {
        let begins = (0..self.length).filter(|at| *at == 0 || self.is_end(*at));
        begins.flat_map(move |begin| {
            (begin + 1..=self.length).filter(|at| self.is_end(*at)).map(move |end| &self[begin..end])
        })
    }
}

/// Whether a field's name (in lower case) is a credential's.
pub(super) fn is_field(name: &str, letters: &Letters) -> bool {
    FIELDS.contains(&name) || is_credential(letters)
}

/// Whether a parameter's name is a credential's.
pub(super) fn is_parameter(letters: &Letters) -> bool {
    is_credential(letters) || letters.words().any(|word| PARAMETERS.contains(&word))
}

/// Whether the first word of a value is an authentication scheme.
pub(super) fn is_scheme(name: &Letters) -> bool {
    let (begins, ends) = FAMILIES;
    SCHEMES.contains(&&**name)
        || begins.iter().any(|begin| name.starts_with(begin))
        || ends.iter().any(|end| name.ends_with(end))
}

fn is_credential(name: &Letters) -> bool {
    let is_word = |word: &[u8]| WORDS.contains(&word) || ENDS.iter().any(|end| word.ends_with(end));
    (0..name.len()).any(|at| is_part(&name[at..])) || name.words().any(is_word) || is_word(name)
}

fn is_part(rest: &[u8]) -> bool {
    match rest {
        // Not an author's name, and not who was authenticated.
        [b'a', b'u', b't', b'h', rest @ ..] if !rest.is_empty() => {
            let is_other =
                rest.starts_with(b"or") && !rest.starts_with(b"oriz") && !rest.starts_with(b"oris");
            !is_other && !rest.starts_with(b"enticated")
        }
        [b't' | b's' | b'p' | b'a' | b'c' | b'j' | b'h' | b'x', ..] => {
            PARTS.iter().any(|part| rest.starts_with(part))
        }
        _ => false,
    }
}

/// Takes a name's last letters; also whether it has more than those.
pub(super) fn letters(name: &[u8]) -> (Letters, bool) {
    let mut letters = Letters { bytes: [0; LONGEST], length: 0, breaks: 0 };
    let (mut at, mut before, mut is_cut) = (0, b' ', false);
    while at < name.len() {
        let (byte, width, _) = first(&name[at..]);
        at += width;
        if byte.is_ascii_alphanumeric() {
            if letters.length == LONGEST {
                letters.bytes.copy_within(LONGEST / 2.., 0);
                (letters.length, letters.breaks) = (LONGEST / 2, letters.breaks >> (LONGEST / 2));
                is_cut = true;
            }
            let is_hump = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
            let is_apart = is_hump || !before.is_ascii_alphanumeric();
            letters.breaks |= u64::from(is_apart) << letters.length;
            letters.bytes[letters.length] = byte.to_ascii_lowercase();
            letters.length += 1;
        }
        before = byte;
    }
    (letters, is_cut)
}
