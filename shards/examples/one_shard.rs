//! One shard with routes to one upstream and no admin plane, for profiling the data plane alone:
//! `one_shard LISTEN UPSTREAM [io_uring|epoll] [ROUTES] [CPU]`. Ends with the process.
#![allow(clippy::disallowed_methods, reason = "the main thread is no shard")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tidegate_shards::{
    Driver, Limits, Profiling, RingOptions, ShardOptions, cache_mesh, spawn_shard, wakeups,
};
use tidegate_snapshot::*;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let upstream = args[2].parse().expect("an address");
    let driver = if args.get(3).is_some_and(|d| d == "epoll") { Driver::Epoll } else { Driver::IoUring };
    let routes: u32 = args.get(4).map_or(1, |n| n.parse().expect("a number"));
    let service = Arc::new(Service {
        slot: 0,
        key: "default/upstream".into(),
        description: "{}".into(),
        endpoints: vec![Endpoint {
            url: args[2].as_str().into(),
            authority: args[2].as_bytes().into(),
            base_path: Box::default(),
            query: None,
            addresses: Box::new([upstream]),
        }],
        retries: 3,
        retry_wait: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(1),
        request_timeout: Duration::from_secs(5),
        hide_gateway_headers: false,
        disable_query_params: false,
    });
    let mut tree = PathTree::default();
    for n in 0..routes {
        let pattern = if n == 0 { "/*".to_string() } else { format!("/r{n}/{{id}}/x") };
        let route = Route {
            slot: n,
            key: format!("default/r{n}").into(),
            namespace: "default".into(),
            description: "{}".into(),
            methods: MethodSet::any(),
            preserve_host: false,
            strip_path: false,
            allow_encoded_slash: false,
            service: Some(service.clone()),
            response: None,
            pipeline: None,
            max_body_bytes: u64::MAX,
        };
        tree.insert(&pattern.parse().expect("a pattern"), MethodSet::any(), Arc::new(route));
    }
    let namespace = Namespace { name: "default".into(), description: "{}".into(), routes: tree };
    let snapshot = Arc::new(Snapshot {
        revision: Revision(1),
        generation: 1,
        settings: Arc::default(),
        domains: DomainTable::new(Vec::new(), Some(0)),
        namespaces: vec![Arc::new(namespace)],
        route_slots: routes,
        service_slots: 1,
        scripts: Box::default(),
    });
    let (wake, source) = wakeups().expect("a socket pair");
    let cache = cache_mesh(std::slice::from_ref(&wake)).remove(0);
    let (_keep, snapshots) = tidegate_mailbox::slot(wake.clone());
    let (_inbox, messages) = tidegate_mailbox::queue(64, wake);
    let (admin, mut from_shard) = tidegate_mailbox::queue(1024, Arc::new(|| {}));
    let thread = spawn_shard(ShardOptions {
        index: 0,
        cpu: args.get(5).map(|cpu| cpu.parse().expect("a CPU")),
        memory: tidegate_shards::Memory::Inherited,
        driver,
        ring: RingOptions::default(),
        limits: Limits::default(),
        listener: TcpListener::bind(&args[1]).expect("bind"),
        snapshot,
        snapshots,
        messages,
        cache,
        wakeups: source,
        admin,
        reader: Arc::new(()),
        surroundings: Arc::default(),
        records: None,
        profile: Profiling::default(),
        record_rules: Default::default(),
        started: Box::new(|result| println!("{result:?}")),
    })
    .expect("a thread");
    while !thread.is_finished() {
        while let Some(message) = from_shard.take() {
            if let ToAdmin::Event(event) = message {
                println!("{event:?}");
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
