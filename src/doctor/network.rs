//! The network cards: how many queues they have, which CPUs handle their packets, and what stands in the packets' way.

use super::Check;
use super::host::Host;
use crate::cores::show;
use crate::steer::Steer;
use crate::topology::read_list;

pub fn checks(host: &Host, steer: Steer, port: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.extend(tracking(host, port));
    let cards = cards(host);
    if cards.is_empty() {
        checks.push(Check::good("network_queues", "no network card, only what the kernel makes up"));
    }
    for card in cards {
        checks.push(queues(host, &card));
        checks.extend(interrupts(host, &card, steer));
        checks.extend(sending(host, &card));
    }
    checks
}

/// A network card that is up.
struct Card {
    name: String,
    receiving: usize,
    sending: usize,
    /// CPUs that its interrupts go to.
    irq_cpus: Vec<usize>,
    /// CPUs that take packets over in software.
    rps_cpus: Vec<usize>,
}

fn cards(host: &Host) -> Vec<Card> {
    let is_up = |name: &String| {
        host.has(&format!("sys/class/net/{name}/device"))
            && host.text(&format!("sys/class/net/{name}/operstate")).is_none_or(|state| state != "down")
    };
    host.names("sys/class/net").into_iter().filter(is_up).map(|name| card(host, name)).collect()
}

fn card(host: &Host, name: String) -> Card {
    let queues = host.names(&format!("sys/class/net/{name}/queues"));
    let of = |kind: &str| queues.iter().filter(|queue| queue.starts_with(kind)).count();
    let mut rps_cpus = Vec::new();
    for queue in queues.iter().filter(|queue| queue.starts_with("rx-")) {
        let mask = host.text(&format!("sys/class/net/{name}/queues/{queue}/rps_cpus")).unwrap_or_default();
        rps_cpus.extend(read_mask(&mask));
    }
    // A virtio card's interrupts belong to the PCI device above it.
    let folders = ["device/msi_irqs", "device/../msi_irqs"];
    let irqs = folders.iter().map(|folder| host.names(&format!("sys/class/net/{name}/{folder}")));
    let irqs = irqs.max_by_key(Vec::len).unwrap_or_default();
    // Those that have fired: a card also has interrupts for its configuration, and for queues it does not use.
    let table = host.text("proc/interrupts").unwrap_or_default();
    let has_fired = |irq: &String| {
        let line = table.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{irq}:")));
        line.is_some_and(|line| {
            line.split_whitespace().map_while(|part| part.parse::<u64>().ok()).any(|count| count > 0)
        })
    };
    let mut irq_cpus = Vec::new();
    for irq in irqs.iter().filter(|irq| has_fired(irq)) {
        let list = ["effective_affinity_list", "smp_affinity_list"]
            .iter()
            .find_map(|file| host.text(&format!("proc/irq/{irq}/{file}")).filter(|text| !text.is_empty()));
        irq_cpus.extend(list.as_deref().and_then(read_list).unwrap_or_default());
    }
    for list in [&mut irq_cpus, &mut rps_cpus] {
        list.sort_unstable();
        list.dedup();
    }
    Card { receiving: of("rx-"), sending: of("tx-"), name, irq_cpus, rps_cpus }
}

/// `f`, `00000000,0000000f`: a mask of CPUs, the lowest last.
fn read_mask(text: &str) -> Vec<usize> {
    let mut cpus = Vec::new();
    for (word, digits) in text.trim().rsplit(',').enumerate() {
        let bits = u32::from_str_radix(digits, 16).unwrap_or(0);
        cpus.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| word * 32 + bit));
    }
    cpus
}

fn queues(host: &Host, card: &Card) -> Check {
    let what = "network_queues";
    let finding = format!("{} has {} receive queues for {} shards", card.name, card.receiving, host.shards);
    if card.receiving >= host.shards {
        return Check::good(what, finding);
    }
    if !card.rps_cpus.is_empty() {
        return Check::note(
            what,
            format!("{finding}, and RPS hands packets to CPUs {}", show(&card.rps_cpus)),
        )
        .costs("RPS costs an interrupt between CPUs for each batch of packets")
        .fix(format!("ethtool -L {} combined {}, where the card has more", card.name, host.shards));
    }
    let mask = host.cpus.iter().fold(0u64, |mask, cpu| mask | 1u64.checked_shl(*cpu as u32).unwrap_or(0));
    Check::weak(what, finding)
        .costs("the CPUs of the queues do all packet work of all shards, and are full before the others are")
        .fix(format!(
            "ethtool -L {name} combined {shards}; where the card has no more queues: \
             echo {mask:x} > /sys/class/net/{name}/queues/rx-0/rps_cpus",
            name = card.name,
            shards = host.shards
        ))
}

fn interrupts(host: &Host, card: &Card, steer: Steer) -> Option<Check> {
    let what = "interrupts";
    if card.irq_cpus.is_empty() {
        return None;
    }
    let handling: Vec<usize> = card.irq_cpus.iter().chain(&card.rps_cpus).copied().collect();
    let finding = format!("packets of {} are handled on CPUs {}", card.name, show(&card.irq_cpus));
    let starved: Vec<usize> = host.cpus.iter().filter(|cpu| !handling.contains(cpu)).copied().collect();
    if steer != Steer::None && !starved.is_empty() {
        return Some(
            Check::weak(what, format!("{finding}, and --steer is on"))
                .costs(format!("shards on CPUs {} get no connections from this card", show(&starved)))
                .fix("bind one interrupt to each shard's CPU (echo CPU > /proc/irq/N/smp_affinity_list), or --steer none"),
        );
    }
    let outside: Vec<usize> = card.irq_cpus.iter().filter(|cpu| !host.cpus.contains(cpu)).copied().collect();
    if !outside.is_empty() {
        return Some(
            Check::note(what, format!("{finding}; CPUs {} run no shard", show(&outside)))
                .costs("each packet moves from one CPU's cache to another's")
                .fix("bind the card's interrupts to the shards' CPUs (/proc/irq/N/smp_affinity_list), stop irqbalance"),
        );
    }
    Some(Check::good(what, finding))
}

fn sending(host: &Host, card: &Card) -> Option<Check> {
    if card.sending < 2 {
        return None;
    }
    let mapped = host.names(&format!("sys/class/net/{}/queues", card.name)).into_iter().any(|queue| {
        let mask = host.text(&format!("sys/class/net/{}/queues/{queue}/xps_cpus", card.name));
        queue.starts_with("tx-") && mask.is_some_and(|mask| !read_mask(&mask).is_empty())
    });
    if mapped {
        return Some(Check::good("send_queues", format!("{}: XPS maps CPUs to send queues", card.name)));
    }
    Some(
        Check::note("send_queues", format!("{} has {} send queues and no XPS", card.name, card.sending))
            .costs("shards share send queues and their locks by chance")
            .fix(format!(
                "for each queue N: echo MASK > /sys/class/net/{}/queues/tx-N/xps_cpus, one CPU per queue",
                card.name
            )),
    )
}

fn tracking(host: &Host, port: &str) -> Option<Check> {
    let what = "conntrack";
    let count = host.sysctl("net.netfilter.nf_conntrack_count")?;
    let most = host.sysctl("net.netfilter.nf_conntrack_max").unwrap_or(u64::MAX);
    if count == 0 {
        return Some(Check::good(what, "the kernel tracks no connections"));
    }
    let finding = format!("the firewall tracks {count} connections of at most {most}");
    let fix = format!(
        "nft add rule inet raw prerouting tcp dport {port} notrack (and output tcp sport {port}), in a chain of priority raw"
    );
    if count * 5 > most * 4 {
        return Some(
            Check::weak(what, finding)
                .costs("when the table is full, packets of new connections are dropped")
                .fix(format!("sysctl -w net.netfilter.nf_conntrack_max={}, or {fix}", most * 4)),
        );
    }
    Some(
        Check::note(what, finding)
            .costs("each packet is looked up in a table, about 5 % of a request")
            .fix(fix),
    )
}
