//! The way to the peers. Raft's messages become bytes here and leave through a transport that somebody else provides: it
//! has the connections, TLS and the peers' identity. Without a transport there are no peers.

use super::Types;
use super::error::ClusterError;
use super::rpc::{RaftRpc, encode_part, from_bytes, to_bytes};
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, BasicNode};
use serde::de::DeserializeOwned;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

/// The reply to a message, later. An error means that the peer was not reached or did not answer.
pub type PeerFuture<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + Send + 'a>>;

/// Carries messages to peers, each to the peer's [`super::Cluster::handle_raft`], and its answer back.
pub trait PeerTransport: Send + Sync {
    /// Sends `body` to the node whose admin API is at `address`. It may be dropped before it is done.
    fn send<'a>(&'a self, address: &'a str, rpc: RaftRpc, body: Vec<u8>) -> PeerFuture<'a>;
}

/// Makes the ways to single peers.
pub(super) struct Network {
    /// The transport, if this node may have peers.
    pub(super) transport: Option<Arc<dyn PeerTransport>>,
}

/// The way to one peer.
pub(super) struct Peer {
    transport: Option<Arc<dyn PeerTransport>>,
    id: u64,
    address: String,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        Peer { transport: self.transport.clone(), id: target, address: node.addr.clone() }
    }
}

type Failed<E> = RPCError<u64, BasicNode, RaftError<u64, E>>;

impl Peer {
    /// Sends a message and reads the reply, within the time that Raft gives.
    async fn call<R: DeserializeOwned, E: std::error::Error + DeserializeOwned>(
        &self,
        rpc: RaftRpc,
        body: Result<Vec<u8>, ClusterError>,
        option: &RPCOption,
    ) -> Result<R, Failed<E>> {
        let body = body.map_err(unreachable)?;
        let Some(transport) = &self.transport else {
            return Err(unreachable(io::Error::from(io::ErrorKind::Unsupported)));
        };
        let sent = tokio::time::timeout(option.hard_ttl(), transport.send(&self.address, rpc, body)).await;
        let reply = sent.map_err(unreachable)?.map_err(unreachable)?;
        let reply: Result<R, RaftError<u64, E>> = from_bytes(&reply).map_err(unreachable)?;
        reply.map_err(|e| RPCError::RemoteError(RemoteError::new(self.id, e)))
    }
}

/// The peer cannot be used at the moment: Raft waits a little before it tries again.
fn unreachable<E: std::error::Error>(e: impl std::error::Error + 'static) -> Failed<E> {
    RPCError::Unreachable(Unreachable::from(AnyError::new(&e)))
}

impl RaftNetwork<Types> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failed<openraft::error::Infallible>> {
        self.call(RaftRpc::Append, to_bytes(&rpc), &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failed<InstallSnapshotError>> {
        self.call(RaftRpc::InstallSnapshot, encode_part(rpc), &option).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, Failed<openraft::error::Infallible>> {
        self.call(RaftRpc::Vote, to_bytes(&rpc), &option).await
    }
}
