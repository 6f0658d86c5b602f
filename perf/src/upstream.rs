//! The origin that everyone proxies to: nginx on the load's CPU or CPUs, a worker on each, answering from memory and, for
//! the large body, a file.

use crate::Failure;
use crate::child::{Child, installed};
use crate::contestant::wait_until_listening;
use crate::scripts::REQUEST_FIELD;
use crate::workload::{JSON_LEFT, POSTED_ANSWER, SMALL_BODY, STAMPED, json_body, large_body};
use crate::{nginx, probe, session};
use std::fs;
use std::path::Path;

pub(crate) struct Upstream {
    pub(crate) port: u16,
    _child: Child,
}

impl Upstream {
    pub(crate) fn start(cpu: usize, dir: &Path) -> Result<Self, Failure> {
        Self::start_on(&[cpu], dir)
    }

    /// With a worker for each of some CPUs.
    pub(crate) fn start_on(cpus: &[usize], dir: &Path) -> Result<Self, Failure> {
        let program =
            installed("nginx").ok_or("nginx is not installed; it is the upstream of every measurement")?;
        let dir = dir.join("upstream");
        let write = |name: &str, bytes: &[u8]| {
            fs::create_dir_all(&dir)
                .and_then(|()| fs::write(dir.join(name), bytes))
                .map_err(|why| format!("{}: {why}", dir.display()))
        };
        let port = probe::free_port()?;
        write("large", &large_body())?;
        write("nginx.conf", nginx::frame(&dir, cpus.len(), "", &http(&dir, port)).as_bytes())?;
        let command = nginx::command(&program, &dir, &dir.join("nginx.conf"));
        let mut child = Child::start_on("upstream", command, cpus, &dir)?;
        wait_until_listening(&mut child, port)?;
        Ok(Self { port, _child: child })
    }
}

fn http(dir: &Path, port: u16) -> String {
    let (answer, json) = (POSTED_ANSWER.trim_end(), json_body(JSON_LEFT));
    let variable = |field: &str| format!("$http_{}", field.to_lowercase().replace('-', "_"));
    let (name, value) = (variable(REQUEST_FIELD.0), REQUEST_FIELD.1);
    let (user_field, user) = (variable(session::USER_FIELD), session::USER);
    format!(
        "open_file_cache max=8;\nserver {{\nlisten 127.0.0.1:{port} backlog=4096 reuseport;\nroot {};\n\
         location /small {{ return 200 '{SMALL_BODY}'; }}\nlocation = /post {{ return 200 \"{answer}\\n\"; }}\n\
         location = /items {{ return 200 '{json}'; }}\n\
         location = {STAMPED} {{ if ({name} != \"{value}\") {{ return 400 'not modified'; }} return 200 '{SMALL_BODY}'; }}\n\
         location = {} {{ if ({user_field} != \"{user}\") {{ return 400 'nobody'; }} return 200 '{SMALL_BODY}'; }}\n\
         }}\n",
        dir.display(),
        session::PATH
    )
}
