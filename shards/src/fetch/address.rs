//! What kind of place an address is: the public internet, somewhere behind it, or nowhere a connection can lead. Pure;
//! the tables are IANA's special-purpose registries (RFC 6890 and its updates). What is not known to be public is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Anybody's.
    Public,
    /// Inside: this host, its networks, or a block that no public host has. With what to call it: `a private address`.
    Inside(&'static str),
    /// No place for a connection, whoever asks.
    Nowhere(&'static str),
}

use Place::{Inside, Nowhere, Public};

const LOOPBACK: Place = Inside("a loopback address");
const PRIVATE: Place = Inside("a private address");
const LINK_LOCAL: Place = Inside("a link-local address");
const SHARED: Place = Inside("an address shared by a carrier's customers");
const DOCUMENTATION: Place = Inside("an address for documentation");
const BENCHMARK: Place = Inside("an address for benchmarks");
const RESERVED: Place = Inside("a reserved address");
const UNSPECIFIED: Place = Nowhere("no address of a host");
const MULTICAST: Place = Nowhere("a multicast address");
const BROADCAST: Place = Nowhere("the broadcast address");

/// Blocks of IPv4, the first that holds an address decides.
const V4: &[([u8; 4], u32, Place)] = &[
    ([0, 0, 0, 0], 8, UNSPECIFIED),
    ([10, 0, 0, 0], 8, PRIVATE),
    ([100, 64, 0, 0], 10, SHARED),
    ([127, 0, 0, 0], 8, LOOPBACK),
    ([169, 254, 0, 0], 16, LINK_LOCAL),
    ([172, 16, 0, 0], 12, PRIVATE),
    ([192, 0, 0, 0], 24, RESERVED),
    ([192, 0, 2, 0], 24, DOCUMENTATION),
    // The anycast address of 6to4 relays, withdrawn by RFC 7526.
    ([192, 88, 99, 0], 24, RESERVED),
    ([192, 168, 0, 0], 16, PRIVATE),
    ([198, 18, 0, 0], 15, BENCHMARK),
    ([198, 51, 100, 0], 24, DOCUMENTATION),
    ([203, 0, 113, 0], 24, DOCUMENTATION),
    ([224, 0, 0, 0], 4, MULTICAST),
    ([255, 255, 255, 255], 32, BROADCAST),
    ([240, 0, 0, 0], 4, RESERVED),
];

/// Blocks of IPv6 by their first four groups. Addresses that hold an IPv4 address are looked at before.
const V6: &[([u16; 4], u32, Place)] = &[
    ([0xff00, 0, 0, 0], 8, MULTICAST),
    ([0xfe80, 0, 0, 0], 10, LINK_LOCAL),
    // Site-local, withdrawn by RFC 3879 but still routed in old networks.
    ([0xfec0, 0, 0, 0], 10, PRIVATE),
    ([0xfc00, 0, 0, 0], 7, PRIVATE),
    ([0x2001, 0x0db8, 0, 0], 32, DOCUMENTATION),
    ([0x3fff, 0, 0, 0], 20, DOCUMENTATION),
    ([0x2001, 2, 0, 0], 48, BENCHMARK),
    // Protocol assignments, with Teredo, ORCHID and more.
    ([0x2001, 0, 0, 0], 23, RESERVED),
    ([0x2000, 0, 0, 0], 3, Public),
];

/// Where an address leads. One that holds an IPv4 address is public only if that one is public too.
pub fn place(address: IpAddr) -> Place {
    let address = match address {
        IpAddr::V4(address) => return place_v4(address),
        IpAddr::V6(address) => address,
    };
    if address.is_unspecified() {
        return UNSPECIFIED;
    }
    if address.is_loopback() {
        return LOOPBACK;
    }
    match held(address).map(place_v4) {
        // These lead where the address within leads, and nowhere else.
        Some(Public) if address.to_ipv4_mapped().is_some() || is_nat64(address) => Public,
        None | Some(Public) => place_v6(address),
        Some(inner) => inner,
    }
}

/// The well-known prefix of RFC 6052.
fn is_nat64(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _])
}

fn place_v4(address: Ipv4Addr) -> Place {
    let bits = address.to_bits();
    let holds = |(block, length, _): &&([u8; 4], u32, Place)| {
        let differs = bits ^ u32::from_be_bytes(*block);
        differs >> (32 - length) == 0
    };
    V4.iter().find(holds).map_or(Public, |(_, _, place)| *place)
}

fn place_v6(address: Ipv6Addr) -> Place {
    let head = (address.to_bits() >> 64) as u64;
    let holds = |(block, length, _): &&([u16; 4], u32, Place)| {
        let block = block.iter().fold(0u64, |bits, group| bits << 16 | u64::from(*group));
        (head ^ block) >> (64 - length) == 0
    };
    V6.iter().find(holds).map_or(RESERVED, |(_, _, place)| *place)
}

/// The IPv4 address that an IPv6 address stands for: mapped and compatible (RFC 4291 section 2.5.5), translated (RFC
/// 2765), NAT64 with the well-known prefix (RFC 6052), 6to4 (RFC 3056), ISATAP (RFC 5214).
fn held(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = Ipv4Addr::from_bits(address.to_bits() as u32);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => Some(last),
        _ if is_nat64(address) => Some(last),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => Some(last),
        _ => None,
    }
}

/// The address without its disguise, for comparing it with another.
pub fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(inner) => held(inner).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places() {
        let check = |addresses: &[&str], want: Place| {
            for address in addresses {
                assert_eq!(place(address.parse().expect(address)), want, "{address}");
            }
        };
        check(
            &[
                "1.1.1.1",
                "8.8.8.8",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
            ],
            Public,
        );
        check(
            &[
                "128.0.0.1",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "192.0.1.0",
                "192.0.3.0",
            ],
            Public,
        );
        check(&["192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"], Public);
        check(&["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.1"], PRIVATE);
        check(&["127.0.0.1", "127.255.255.255", "127.1.2.3", "::1"], LOOPBACK);
        check(&["169.254.169.254", "169.254.0.0", "169.254.255.255", "fe80::1", "febf::1"], LINK_LOCAL);
        check(&["100.64.0.0", "100.127.255.255", "100.100.100.200"], SHARED);
        check(&["0.0.0.0", "0.1.2.3", "0.255.255.255", "::"], UNSPECIFIED);
        check(&["192.0.2.1", "198.51.100.255", "203.0.113.0", "2001:db8::1", "3fff:fff::1"], DOCUMENTATION);
        check(&["198.18.0.0", "198.19.255.255", "2001:2::1"], BENCHMARK);
        check(&["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"], MULTICAST);
        check(&["255.255.255.255"], BROADCAST);
        check(&["240.0.0.0", "255.255.255.254", "192.0.0.1", "192.88.99.1"], RESERVED);
        check(&["fc00::", "fdff::1", "fec0::1", "feff::1"], PRIVATE);
        check(&["2606:4700::1111", "2a00:1450::1", "2001:200::1", "2001:4860:4860::8888", "3ffe::1"], Public);
        // Teredo, ORCHID, discard-only, segment routing, and what no registry has given out.
        check(&["2001:0:1::1", "2001:10::1", "2001:20::1", "100::1", "5f00::1", "4000::1", "1::1"], RESERVED);
    }

    #[test]
    fn disguises_of_ipv4_are_seen_through() {
        for (inner, want) in [
            ("169.254.169.254", LINK_LOCAL),
            ("127.0.0.1", LOOPBACK),
            ("10.1.2.3", PRIVATE),
            ("0.0.0.5", UNSPECIFIED),
            ("255.255.255.255", BROADCAST),
            ("93.184.216.34", Public),
        ] {
            let inner: Ipv4Addr = inner.parse().expect("an address");
            let [a, b, c, d] = inner.octets();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let place_of = |form: &str| place(form.parse().expect("an address"));
            for form in [
                format!("::ffff:{inner}"),
                format!("64:ff9b::{inner}"),
                format!("2002:{high:x}:{low:x}::1"),
                format!("2002:{high:x}:{low:x}:ffff:1::"),
                format!("2a00::200:5efe:{inner}"),
            ] {
                let address: IpAddr = form.parse().expect("an address");
                assert_eq!(plain(address), IpAddr::V4(inner), "{form}");
                assert_eq!(place(address), want, "{form}");
            }
            // Withdrawn or local forms are inside even where the address within is not.
            let inside = |own: Place| if want == Public { own } else { want };
            for form in [format!("::{inner}"), format!("::ffff:0:{high:x}:{low:x}")] {
                assert_eq!(place_of(&form), inside(RESERVED), "{form}");
            }
            assert_eq!(place_of(&format!("fe80::5efe:{inner}")), inside(LINK_LOCAL));
            assert_eq!(place_of(&format!("64:ff9b:1::{inner}")), RESERVED);
        }
        assert_eq!(plain("::1".parse().expect("an address")), IpAddr::V6(Ipv6Addr::LOCALHOST));
    }

    proptest! {
        /// The standard library knows some of the blocks too: nothing it calls local is public here.
        #[test]
        fn never_more_lenient_than_the_standard_library(v4: u32, v6: u128) {
            let v4 = Ipv4Addr::from_bits(v4);
            if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified()
            {
                prop_assert_ne!(place(v4.into()), Public);
            }
            let v6 = Ipv6Addr::from_bits(v6);
            if v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_multicast() {
                prop_assert_ne!(place(v6.into()), Public);
            }
        }
    }
}
