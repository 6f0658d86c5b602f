//! The ports file: how scripts and tests learn which ports a gateway got. Written at once and whole, so that whoever
//! sees it sees all of it; removed at the end.

use std::path::{Path, PathBuf};

/// The file, for as long as the process is ready.
pub struct PortsFile(PathBuf);

/// What stands in it.
pub struct Ports {
    /// The proxy's port.
    pub proxy: u16,
    /// The admin API's port.
    pub admin: u16,
    /// The test server's port, if there is one.
    pub test_server: Option<u16>,
}

impl PortsFile {
    /// Writes the file beside its place and moves it there.
    pub fn write(path: &Path, ports: &Ports) -> std::io::Result<Self> {
        let mut text = serde_json::json!({
            "pid": std::process::id(),
            "proxy": ports.proxy,
            "admin": ports.admin,
        });
        if let Some(port) = ports.test_server {
            text["test_server"] = port.into();
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        std::fs::write(&beside, format!("{text}\n"))?;
        std::fs::rename(&beside, path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PortsFile {
    fn drop(&mut self) {
        // Whoever removed it before has what they wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}
