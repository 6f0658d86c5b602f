//! The client against a fake admin API: the exact bytes each command sends, and the exact text each answer gives.
//! Every case has a listener of its own on an ephemeral port.

use super::*;
use clap::{Parser, Subcommand};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

#[derive(Parser)]
#[command(name = "tidegate", disable_version_flag = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Top,
}

#[derive(Subcommand)]
enum Top {
    /// Stands for the binary's own commands, which may use the client's flag names for other things.
    Serve {
        #[arg(short = 'f', long)]
        admin: Option<String>,
    },
    #[command(flatten)]
    Client(Client),
}

/// What came out of a command.
#[derive(Debug, Default)]
struct Outcome {
    code: u8,
    out: String,
    err: String,
}

fn tidegate(line: &[&str], env: &[(&str, &str)]) -> Outcome {
    let cli = match Cli::try_parse_from(std::iter::once("tidegate").chain(line.iter().copied())) {
        Ok(cli) => cli,
        Err(error) => {
            return Outcome { code: error.exit_code() as u8, out: String::new(), err: error.to_string() };
        }
    };
    let Top::Client(client) = cli.command else { panic!("not a client command: {line:?}") };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = execute(
        &cli.options,
        client,
        &mut World {
            env: &|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()),
            out: &mut out,
            err: &mut err,
            style: Style::default(),
            err_color: false,
            progress: false,
            password: &|prompt| match prompt {
                "password for ann: " => Ok("typed".into()),
                _ => Err(io::ErrorKind::NotFound.into()),
            },
        },
    );
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Outcome { code, out: text(out), err: text(err) }
}

/// One request as it arrived.
#[derive(Debug, PartialEq, Eq)]
struct Arrived {
    line: String,
    authorization: Option<String>,
    body: String,
}

/// An admin API that gives these answers in order, each on a connection of its own, and reports what it was asked.
fn admin_api(answers: Vec<String>) -> (String, JoinHandle<Vec<Arrived>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address").to_string();
    let thread = std::thread::spawn(move || {
        answers
            .into_iter()
            .map(|answer| {
                let (mut stream, _) = listener.accept().expect("accept");
                let arrived = read_request(&stream);
                stream.write_all(answer.as_bytes()).expect("answer");
                arrived
            })
            .collect()
    });
    (address, thread)
}

fn read_request(stream: &TcpStream) -> Arrived {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("head");
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let field = |name: &str| {
        lines[1..].iter().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    assert_eq!(field("accept").as_deref(), Some("application/json"), "{lines:?}");
    let mut body = vec![0; field("content-length").map_or(0, |length| length.parse().expect("length"))];
    reader.read_exact(&mut body).expect("body");
    if !body.is_empty() {
        assert_eq!(field("content-type").as_deref(), Some("application/json"), "{lines:?}");
    }
    Arrived {
        line: lines[0].clone(),
        authorization: field("authorization"),
        body: String::from_utf8(body).expect("UTF-8"),
    }
}

fn answer(status: u16, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{fields}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Runs one command against one answer.
fn ask(line: &[&str], status: u16, body: &str) -> (Outcome, Arrived) {
    let (address, api) = admin_api(vec![answer(status, "", body)]);
    let outcome = tidegate(line, &[("DGATE_ADMIN_API", &address)]);
    // Waiting for a request that was never sent would take for ever.
    assert!(outcome.code < 2, "nothing was sent: {}", outcome.err);
    (outcome, api.join().expect("api").remove(0))
}

mod follows;
mod insight;
mod prints;
mod refuses;
mod sends;
