//! What the kernel's TCP gives: queues, ports, buffers and the rules of kept connections, against the flags.

use super::Check;
use super::host::Host;
use crate::metal::Metal;

pub fn checks(host: &Host, metal: &Metal, upstream_max: usize) -> Vec<Check> {
    let found = [
        backlog(host, metal),
        half_open(host, metal),
        ports(host, upstream_max),
        time_wait(host),
        slow_start(host),
        buffers(host, metal),
        fast_open(host, metal),
    ];
    found.into_iter().flatten().collect()
}

fn backlog(host: &Host, metal: &Metal) -> Option<Check> {
    let what = "backlog";
    let wanted = metal.backlog.unsigned_abs();
    let Some(most) = host.sysctl("net.core.somaxconn") else {
        return Some(Check::weak(what, "net.core.somaxconn cannot be read"));
    };
    let finding = format!("net.core.somaxconn is {most}, --backlog {wanted}");
    if most >= u64::from(wanted) {
        return Some(Check::good(what, finding));
    }
    Some(
        Check::weak(what, finding)
            .costs(format!(
                "the kernel cuts the queue of a listener to {most}: bursts beyond it wait a second"
            ))
            .fix(format!("sysctl -w net.core.somaxconn={wanted}")),
    )
}

fn half_open(host: &Host, metal: &Metal) -> Option<Check> {
    let what = "half_open";
    let (cookies, most) =
        (host.sysctl("net.ipv4.tcp_syncookies")?, host.sysctl("net.ipv4.tcp_max_syn_backlog")?);
    let wanted = u64::from(metal.backlog.unsigned_abs());
    let finding = format!("net.ipv4.tcp_syncookies is {cookies}, net.ipv4.tcp_max_syn_backlog {most}");
    if cookies != 0 || most >= wanted {
        // With cookies the listener's backlog is the bound, and a flood is answered without memory.
        return Some(Check::good(what, finding));
    }
    Some(
        Check::weak(what, finding)
            .costs("a flood of half-open connections shuts everybody out")
            .fix(format!("sysctl -w net.ipv4.tcp_syncookies=1 net.ipv4.tcp_max_syn_backlog={wanted}")),
    )
}

fn ports(host: &Host, upstream_max: usize) -> Option<Check> {
    let what = "ports";
    let text = host.text("proc/sys/net/ipv4/ip_local_port_range")?;
    let mut parts = text.split_whitespace().map_while(|part| part.parse::<u64>().ok());
    let (first, last) = (parts.next()?, parts.next()?);
    let (have, wanted) = (last.saturating_sub(first) + 1, (upstream_max * host.shards) as u64);
    let finding = format!("{have} ports for connections to one upstream address, up to {wanted} wanted");
    if have >= wanted {
        return Some(Check::good(what, finding));
    }
    Some(
        Check::weak(what, finding)
            .costs(
                "connections beyond fail with EADDRNOTAVAIL (502); finding a free port gets slow before that",
            )
            .fix("sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\", or more upstream addresses"),
    )
}

fn time_wait(host: &Host) -> Option<Check> {
    let what = "time_wait";
    let reuse = host.sysctl("net.ipv4.tcp_tw_reuse")?;
    let finding = format!("net.ipv4.tcp_tw_reuse is {reuse}");
    if reuse == 1 {
        return Some(Check::good(what, finding));
    }
    Some(
        Check::note(what, finding)
            .costs("each connection to an upstream that we close holds a port for 60 s: matters without keep-alive")
            .fix("sysctl -w net.ipv4.tcp_tw_reuse=1"),
    )
}

fn slow_start(host: &Host) -> Option<Check> {
    let what = "slow_start";
    let again = host.sysctl("net.ipv4.tcp_slow_start_after_idle")?;
    let finding = format!("net.ipv4.tcp_slow_start_after_idle is {again}");
    if again == 0 {
        return Some(Check::good(what, finding));
    }
    Some(
        Check::note(what, finding)
            .costs("kept connections forget their window after a pause: bodies above 14 KB take more round trips")
            .fix("sysctl -w net.ipv4.tcp_slow_start_after_idle=0"),
    )
}

fn buffers(host: &Host, metal: &Metal) -> Option<Check> {
    let what = "socket_buffers";
    let limits = [
        ("net.core.rmem_max", metal.client_receive_buffer.max(metal.upstream_receive_buffer)),
        ("net.core.wmem_max", metal.client_send_buffer.max(metal.upstream_send_buffer)),
    ];
    let short = limits.iter().find_map(|(name, wanted)| {
        let most = host.sysctl(name)?;
        (*wanted as u64 > most).then_some((*name, *wanted, most))
    });
    let Some((name, wanted, most)) = short else {
        return Some(Check::good(what, "the flags ask for no more than the kernel gives"));
    };
    Some(
        Check::weak(what, format!("{name} is {most}, and a flag asks for {wanted}"))
            .costs("the kernel cuts the buffer without a word, and its own tuning is off because one was asked for")
            .fix(format!("sysctl -w {name}={wanted}, or leave the flag away: the kernel grows buffers by itself")),
    )
}

fn fast_open(host: &Host, metal: &Metal) -> Option<Check> {
    let bits = host.sysctl("net.ipv4.tcp_fastopen")?;
    (metal.tcp_fastopen > 0 && bits & 2 == 0).then(|| {
        Check::weak("fast_open", format!("net.ipv4.tcp_fastopen is {bits}: servers take none"))
            .costs("--tcp-fastopen does nothing")
            .fix("sysctl -w net.ipv4.tcp_fastopen=3")
    })
}
