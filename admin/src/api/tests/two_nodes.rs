//! A cluster of two over the API: how a node joins, where a follower sends writers, and what it reads.

use super::*;
use crate::raft::{PeerFuture, PeerTransport, RaftRpc};
use std::collections::HashMap;
use std::io;

/// Carries messages within the process.
#[derive(Default)]
struct Wires(Mutex<HashMap<String, Cluster>>);

impl PeerTransport for Wires {
    fn send<'a>(&'a self, address: &'a str, rpc: RaftRpc, body: Vec<u8>) -> PeerFuture<'a> {
        let peer = self.0.lock().expect("nobody panics with it").get(address).cloned();
        Box::pin(async move {
            let peer = peer.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            peer.handle_raft(rpc, &body).await.map_err(io::Error::other)
        })
    }
}

async fn node(wires: &Arc<Wires>, id: u64) -> Node {
    let address = format!("127.0.0.1:908{id}");
    let config = ClusterConfig {
        bootstrap: id == 1,
        transport: Some(wires.clone()),
        heartbeat_ms: 50,
        ..ClusterConfig::new(id, "test", &address)
    };
    let node = Node::of(ApiSettings::default(), config).await;
    wires.0.lock().expect("nobody panics with it").insert(address, node.state.inner.cluster.clone());
    node
}

#[tokio::test]
async fn a_follower_sends_writers_to_the_leader() {
    let wires = Arc::new(Wires::default());
    let (leader, follower) = (node(&wires, 1).await, node(&wires, 2).await);
    leader.set("/api/v1/cluster/members/2", json!({"addr": "127.0.0.1:9082"})).await;
    let members = leader.get("/api/v1/cluster/members").await.json();
    assert_eq!((&members["count"], &members["data"][1]["voter"]), (&json!(2), &json!(true)));

    let path = "/api/v1/service/default/s?x=1";
    let body = json!({"urls": ["http://a"]});
    let got = follower.put(path, body.clone()).await;
    assert_eq!(
        (got.status, got.header("location")),
        (307, "http://127.0.0.1:9081/api/v1/service/default/s?x=1")
    );
    assert_eq!(got.json()["success"], false);
    let got = follower.delete("/api/v1/service", json!({"name": "s"})).await;
    assert_eq!((got.status, got.header("location")), (307, "http://127.0.0.1:9081/api/v1/service"));

    leader.set(path, body).await;
    let written = leader.revision();
    let mut applied = follower.state.inner.cluster.applied();
    applied.wait_for(|index| *index >= written).await.expect("the follower lives");
    assert_eq!(follower.get(path).await.json()["data"]["urls"], json!(["http://a"]));
    let ready = follower.get("/readyz").await;
    assert_eq!((ready.status, ready.header("x-raft-state")), (200, "follower"));
    assert_eq!(ready.header("x-raft-leader"), "127.0.0.1:9081");
    assert_eq!(follower.get("/api/v1/cluster/status").await.json()["data"]["can_write"], false);
}
