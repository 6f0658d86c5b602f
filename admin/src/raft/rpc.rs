//! Raft's messages between nodes as bytes: JSON, and for a part of a snapshot its bytes after the JSON. Bytes from a
//! peer never panic; who the peer is has been settled by the transport before they come here.

use super::Types;
use super::error::ClusterError;
use openraft::Raft;
use openraft::raft::InstallSnapshotRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RaftRpc {
    /// Entries, and heartbeats.
    Append,
    /// A request for a vote.
    Vote,
    /// A part of a `RaftSnapshot`.
    InstallSnapshot,
}

impl RaftRpc {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Append, Self::Vote, Self::InstallSnapshot];

    /// The name in a URL's path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Vote => "vote",
            Self::InstallSnapshot => "install-snapshot",
        }
    }

    /// The kind with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rpc| rpc.name() == name)
    }
}

/// Gives a peer's message to Raft; answers the bytes of the reply, which may be Raft's own error.
pub(super) async fn dispatch(
    raft: &Raft<Types>,
    rpc: RaftRpc,
    bytes: &[u8],
) -> Result<Vec<u8>, ClusterError> {
    match rpc {
        RaftRpc::Append => to_bytes(&raft.append_entries(from_bytes(bytes)?).await),
        RaftRpc::Vote => to_bytes(&raft.vote(from_bytes(bytes)?).await),
        RaftRpc::InstallSnapshot => to_bytes(&raft.install_snapshot(decode_part(bytes)?).await),
    }
}

/// JSON of a message.
pub(super) fn to_bytes<T: Serialize>(message: &T) -> Result<Vec<u8>, ClusterError> {
    serde_json::to_vec(message).map_err(unreadable)
}

/// Reads a message. Errors: it is not one.
pub(super) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClusterError> {
    serde_json::from_slice(bytes).map_err(unreadable)
}

/// The length of the JSON (u32, big-endian), the message without its data as JSON, the data.
pub(super) fn encode_part(mut part: InstallSnapshotRequest<Types>) -> Result<Vec<u8>, ClusterError> {
    let data = std::mem::take(&mut part.data);
    let head = to_bytes(&part)?;
    let length = u32::try_from(head.len()).map_err(|_| unreadable("its head is too long"))?;
    Ok([length.to_be_bytes().as_slice(), &head, &data].concat())
}

fn decode_part(bytes: &[u8]) -> Result<InstallSnapshotRequest<Types>, ClusterError> {
    let short = || unreadable("it is cut off");
    let (length, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    let (head, data) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(short)?;
    let mut part: InstallSnapshotRequest<Types> = from_bytes(head)?;
    part.data = data.to_vec();
    Ok(part)
}

fn unreadable(why: impl ToString) -> ClusterError {
    ClusterError::Message { why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_round_trip() {
        for rpc in RaftRpc::ALL {
            assert_eq!(RaftRpc::from_name(rpc.name()), Some(rpc));
        }
        assert_eq!(RaftRpc::from_name("commit"), None);
    }

    #[test]
    fn a_part_of_a_snapshot_keeps_its_bytes() {
        let part = InstallSnapshotRequest::<Types> {
            vote: openraft::Vote::new(3, 1),
            meta: Default::default(),
            offset: 7,
            data: vec![0, 255, b'\n', 1],
            done: true,
        };
        let bytes = encode_part(part.clone()).unwrap();
        assert_eq!(decode_part(&bytes).unwrap(), part);
        for cut in [0, 3, 4, 20] {
            assert!(decode_part(&bytes[..cut]).is_err());
        }
    }
}
