//! TLS beneath a wire: the state of one session, fed with what was read and asked for what to write. It does no I/O but
//! its own handshake; certificates are always verified, and a peer that closes without saying so has cut its message.

use rustls::client::{ClientConnection, Resumption};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, Connection, RootCertStore};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tidegate_reactor::{Cut, Reader, Writer};

/// The least room for reading records: one of full size and its head.
const RECORD_ROOM: usize = 16 << 10;
/// Sessions that a shard remembers for resuming, over all servers.
const REMEMBERED: usize = 256;

/// How this shard speaks to servers that have a certificate of one of `roots` (DER; what is no certificate is passed
/// over). Made once per shard, so that what rustls remembers behind a lock is never waited for.
pub fn client_config(roots: &[Vec<u8>]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().map(|der| CertificateDer::from(der.as_slice())));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(REMEMBERED);
    Ok(Arc::new(config))
}

/// A server as a client knows it: the name its certificate must have, and how it is spoken to. Two are one where both
/// are the same.
pub struct Server {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Server {
    /// `host` is a name or an address without brackets; `None` if it is neither.
    pub fn new(config: &Arc<ClientConfig>, host: &str) -> Option<Self> {
        let name = ServerName::try_from(host.to_owned()).ok()?;
        Some(Self { config: config.clone(), name })
    }

    fn begin(&self) -> Result<Session, rustls::Error> {
        let mut connection = ClientConnection::new(self.config.clone(), self.name.clone())?;
        // What is sealed is written at once, so that nothing gathers here.
        connection.set_buffer_limit(None);
        Ok(Session { connection: RefCell::new(connection.into()), is_closed: Cell::new(false) })
    }
}

impl PartialEq for Server {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.name == other.name
    }
}

impl Eq for Server {}

impl Hash for Server {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (Arc::as_ptr(&self.config) as usize).hash(state);
        self.name.hash(state);
    }
}

/// One session. Both halves of a wire hold it.
pub struct Session {
    connection: RefCell<Connection>,
    is_closed: Cell<bool>,
}

/// What one half of a wire has beneath its plain bytes.
pub struct Sealed {
    /// The session of both halves.
    pub session: Rc<Session>,
    /// Records: read and not opened yet, or on their way out.
    pub records: Vec<u8>,
}

/// Why there is no session.
#[derive(Debug)]
pub enum Insecure {
    /// The peer closed.
    Closed,
    /// Not within the time.
    Late,
    /// The peer is not who it should be, or does not speak TLS as it should.
    Refused(rustls::Error),
}

impl fmt::Display for Insecure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rustls::{CertificateError, Error};
        match self {
            Self::Closed => f.write_str("the server closed the connection during the TLS handshake"),
            Self::Late => f.write_str("the TLS handshake did not end in time"),
            Self::Refused(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => f.write_str(
                "the server's certificate is of no authority that is trusted here (--fetch-ca-file adds some)",
            ),
            Self::Refused(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl Session {
    /// Opens records, which are used up, and appends what was in them.
    pub fn open(&self, records: &mut Vec<u8>, plain: &mut Vec<u8>) -> Result<(), rustls::Error> {
        let mut connection = self.connection.borrow_mut();
        let mut rest = &records[..];
        while !rest.is_empty() && !self.is_closed.get() {
            // Reading from a slice cannot fail, and what was opened is taken out before more is fed.
            let fed = connection.read_tls(&mut rest).unwrap_or(0);
            let state = connection.process_new_packets()?;
            let mut left = state.plaintext_bytes_to_read();
            let mut reader = connection.reader();
            while left > 0 {
                let piece = match reader.fill_buf() {
                    Ok(piece) if !piece.is_empty() => piece,
                    _ => break,
                };
                plain.extend_from_slice(piece);
                let taken = piece.len();
                reader.consume(taken);
                left -= taken.min(left);
            }
            self.is_closed.set(state.peer_has_closed());
            if fed == 0 {
                break;
            }
        }
        records.clear();
        Ok(())
    }

    /// Seals plain bytes; at most [`Session::PIECE`] at once keep the records small. Whatever the session itself has to
    /// say goes first.
    pub fn seal(&self, plain: &[u8], records: &mut Vec<u8>) {
        let mut connection = self.connection.borrow_mut();
        // Neither end is a socket: nothing here can fail, or be written in part.
        let written = connection.writer().write_all(plain);
        debug_assert!(written.is_ok());
        while connection.wants_write() {
            if connection.write_tls(records).is_err() {
                return;
            }
        }
    }

    /// Plain bytes that are sealed at once.
    pub const PIECE: usize = 64 << 10;

    /// The peer has said that nothing more comes.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn is_handshaking(&self) -> bool {
        self.connection.borrow().is_handshaking()
    }
}

/// The least capacity that records are read into.
pub fn room(wanted: usize) -> usize {
    wanted.max(RECORD_ROOM)
}

/// Makes a session on a connected socket, in at most `time`. What a hasty peer has sent behind its handshake is in the
/// second answer.
pub async fn handshake(
    server: &Server,
    reader: &mut Reader,
    writer: &mut Writer,
    time: Duration,
) -> Result<(Rc<Session>, Vec<u8>), Insecure> {
    let session = server.begin().map_err(Insecure::Refused)?;
    let (mut records, mut plain) = (Vec::new(), Vec::new());
    reader.deadline().arm(time, Cut::Both);
    let broken = |reader: &Reader| if reader.deadline().fired() { Insecure::Late } else { Insecure::Closed };
    loop {
        session.seal(&[], &mut records);
        if !records.is_empty() && writer.write_all(&mut records).await.is_err() {
            return Err(broken(reader));
        }
        if !session.is_handshaking() {
            break;
        }
        match reader.read(&mut records, RECORD_ROOM).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(broken(reader)),
        }
        if let Err(error) = session.open(&mut records, &mut plain) {
            // The peer is told why.
            session.seal(&[], &mut records);
            let _ = writer.write_all(&mut records).await;
            return Err(Insecure::Refused(error));
        }
    }
    reader.deadline().disarm();
    Ok((Rc::new(session), plain))
}
