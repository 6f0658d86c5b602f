//! One captured packet: whose it is, which way it goes, and which request it carries. Pure; cut or foreign bytes give
//! nothing.

use crate::pace::number_in;
use etherparse::{Ethernet2HeaderSlice, Ipv4HeaderSlice, TcpHeaderSlice, ether_type, ip_number};

/// One of the four ways that bytes take through a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From a client to the gateway.
    RequestIn,
    /// From the gateway to the upstream.
    RequestOut,
    /// From the upstream to the gateway.
    ResponseIn,
    /// From the gateway to the client.
    ResponseOut,
}

/// The ports by which a gateway's two sides are told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) gateway: u16,
    pub(crate) upstream: u16,
}

/// A packet with payload, of one of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Nanoseconds since 1970, as the kernel stamped it.
    pub(crate) at: u64,
    pub(crate) way: Way,
    /// The port that, with the way, names the connection: the client's, or the gateway's own towards the upstream.
    pub(crate) connection: u16,
    /// The number of the request that begins here.
    pub(crate) number: Option<u64>,
}

/// Reads a frame as it is captured on the loopback device, which may be cut after its first bytes.
pub(crate) fn segment(at: u64, frame: &[u8], ports: Ports) -> Option<Segment> {
    let ethernet = Ethernet2HeaderSlice::from_slice(frame).ok()?;
    if ethernet.ether_type() != ether_type::IPV4 {
        return None;
    }
    let packet = frame.get(ethernet.slice().len()..)?;
    let ip = Ipv4HeaderSlice::from_slice(packet).ok()?;
    if ip.protocol() != ip_number::TCP || ip.is_fragmenting_payload() {
        return None;
    }
    let segment = packet.get(ip.slice().len()..)?;
    let tcp = TcpHeaderSlice::from_slice(segment).ok()?;
    let headers = ip.slice().len() + tcp.slice().len();
    if usize::from(ip.total_len()) <= headers {
        return None;
    }
    let (from, to) = (tcp.source_port(), tcp.destination_port());
    let (way, connection) = match (from, to) {
        (_, to) if to == ports.gateway => (Way::RequestIn, from),
        (_, to) if to == ports.upstream => (Way::RequestOut, from),
        (from, _) if from == ports.upstream => (Way::ResponseIn, to),
        (from, _) if from == ports.gateway => (Way::ResponseOut, to),
        _ => return None,
    };
    let payload = segment.get(tcp.slice().len()..)?;
    let number = matches!(way, Way::RequestIn | Way::RequestOut).then(|| number_in(payload)).flatten();
    Some(Segment { at, way, connection, number })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An Ethernet frame of an IPv4 packet of a TCP segment, byte by byte (RFC 791, RFC 9293).
    pub(crate) fn frame(from: u16, to: u16, options: usize, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[0x08, 0x00, 0x45, 0]);
        frame.extend_from_slice(&((20 + 20 + options + payload.len()) as u16).to_be_bytes());
        frame.extend_from_slice(&[0, 1, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        frame.extend_from_slice(&from.to_be_bytes());
        frame.extend_from_slice(&to.to_be_bytes());
        frame.extend_from_slice(&[0; 8]);
        frame.extend_from_slice(&[((20 + options) as u8 / 4) << 4, 0x18, 0, 0, 0, 0, 0, 0]);
        frame.extend(vec![1; options]);
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn packets_tell_their_way_connection_and_request() {
        let ports = Ports { gateway: 80, upstream: 81 };
        let request = b"GET /x?tidegate-perf=0000000042 HTTP/1.1\r\nHost: h\r\n\r\n";
        let check = |frame: &[u8], expected: Option<(Way, u16, Option<u64>)>| {
            let found = segment(7, frame, ports).map(|found| (found.way, found.connection, found.number));
            assert_eq!(found, expected, "{frame:?}");
        };
        check(&frame(4000, 80, 12, request), Some((Way::RequestIn, 4000, Some(42))));
        check(&frame(5000, 81, 0, request), Some((Way::RequestOut, 5000, Some(42))));
        check(&frame(81, 5000, 12, b"HTTP/1.1 200 OK\r\n\r\n"), Some((Way::ResponseIn, 5000, None)));
        check(&frame(80, 4000, 12, b"HTTP/1.1 200 OK\r\n\r\n"), Some((Way::ResponseOut, 4000, None)));
        check(&frame(4000, 80, 12, b"more of a body"), Some((Way::RequestIn, 4000, None)));
        check(&frame(80, 4000, 12, b""), None);
        check(&frame(4000, 82, 12, request), None);
        // Cut after the number, as the capture does it, and everywhere before: never a wrong number, never a panic.
        let whole = frame(4000, 80, 12, request);
        for length in 0..whole.len() {
            let found = segment(7, &whole[..length], ports);
            assert_eq!(found.is_some(), length >= 66, "{length}");
            assert!(found.is_none_or(|found| matches!(found.number, None | Some(42))), "{length}");
        }
        let mut udp = whole.clone();
        udp[23] = 17;
        check(&udp, None);
        let mut ipv6 = whole;
        ipv6[12..14].copy_from_slice(&[0x86, 0xdd]);
        check(&ipv6, None);
    }
}
