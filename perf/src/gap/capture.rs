//! Packets of the loopback device with the kernel's own time stamps: an AF_PACKET socket with a TPACKET_V3 ring
//! (packet(7)), filtered in the kernel by ports. A ring, because a wake-up for every packet would slow the gateway down
//! that is looked at. Looks only, on `lo` only, and needs CAP_NET_RAW.

use super::packet::{Ports, Segment, segment};
use crate::Failure;
use socket2::{Domain, SockFilter, Socket, Type};
use std::io::Error;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Bytes of a frame that are kept: all headers and the request line.
const KEPT: u32 = 256;
const BLOCK: usize = 1 << 20;
/// A block holds about 3,500 packets; all of them a second of 100,000 packets.
const BLOCKS: usize = 32;
/// The kernel hands a block over after this, full or not.
const RETIRE_MS: u32 = 10;

/// What was captured.
#[derive(Debug)]
pub(crate) struct Captured {
    /// In the order of their stamps.
    pub(crate) segments: Vec<Segment>,
    /// Packets that found no room.
    pub(crate) lost: u32,
}

/// A ring that packets are already written to.
pub(crate) struct Capture {
    socket: Socket,
    ring: *mut u8,
    ports: Ports,
}

// SAFETY: the mapping belongs to this value alone, on whatever thread it is.
unsafe impl Send for Capture {}

impl Capture {
    /// Begins to capture.
    pub(crate) fn open(ports: Ports) -> Result<Self, Failure> {
        // Protocol 0: nothing arrives before the filter is there and the socket is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW.cloexec(), None).map_err(|why| {
            match why.raw_os_error() {
                Some(libc::EPERM) => {
                    "capturing packets needs CAP_NET_RAW: run this as root, or give the binary the \
                                  capability (setcap cap_net_raw+ep)"
                        .to_owned()
                }
                _ => format!("no packet socket: {why}"),
            }
        })?;
        let failed = |what: &str, why: Error| format!("cannot capture packets on lo: {what}: {why}");
        socket.attach_filter(&filter(ports)).map_err(|why| failed("filter", why))?;
        let stamps: libc::c_int = 1;
        option(&socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &stamps)
            .map_err(|why| failed("time stamps", why))?;
        // The stamp that the packet got when it was handed over, and that a socket of the same host sees: not the time at
        // which this ring gets it.
        let kind = libc::SOF_TIMESTAMPING_SOFTWARE as libc::c_int;
        option(&socket, libc::SOL_PACKET, libc::PACKET_TIMESTAMP, &kind)
            .map_err(|why| failed("kind of time stamps", why))?;
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        option(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)
            .map_err(|why| failed("version", why))?;
        let request = libc::tpacket_req3 {
            tp_block_size: BLOCK as u32,
            tp_block_nr: BLOCKS as u32,
            tp_frame_size: 2048,
            tp_frame_nr: (BLOCK * BLOCKS / 2048) as u32,
            tp_retire_blk_tov: RETIRE_MS,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        option(&socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
            .map_err(|why| failed("ring", why))?;
        // SAFETY: a new shared mapping of the socket's ring, of the size that was just asked for.
        let ring = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(ptr::null_mut(), BLOCK * BLOCKS, access, libc::MAP_SHARED, socket.as_raw_fd(), 0)
        };
        if ring == libc::MAP_FAILED {
            return Err(failed("mapping", Error::last_os_error()));
        }
        let capture = Self { socket, ring: ring.cast(), ports };
        capture.bind().map_err(|why| failed("binding", why))?;
        Ok(capture)
    }

    /// Binds to IPv4 packets that arrive on `lo`; those that leave by it are the same ones.
    fn bind(&self) -> Result<(), Error> {
        // SAFETY: the address is a whole sockaddr_ll on the stack, the name a C string.
        let bound = unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = (libc::ETH_P_IP as u16).to_be();
            address.sll_ifindex = libc::if_nametoindex(c"lo".as_ptr()) as i32;
            let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            libc::bind(self.socket.as_raw_fd(), ptr::from_ref(&address).cast(), length)
        };
        if bound == 0 { Ok(()) } else { Err(Error::last_os_error()) }
    }

    /// Captures until told to end, and then what is already in the ring.
    pub(crate) fn until(self, ended: &AtomicBool) -> Captured {
        let mut segments = Vec::new();
        let mut block = 0;
        let mut last_rounds = 3;
        while last_rounds > 0 {
            if ended.load(Ordering::Acquire) {
                last_rounds -= 1;
            }
            while self.take(block, &mut segments) {
                block = (block + 1) % BLOCKS;
            }
            // Not poll: one wake-up a while costs less than one a block, and the ring holds a quarter of a second.
            std::thread::sleep(std::time::Duration::from_millis(2 * u64::from(RETIRE_MS)));
        }
        segments.sort_by_key(|segment| segment.at);
        Captured { segments, lost: self.lost() }
    }

    /// Reads a block and gives it back, if the kernel has handed it over.
    fn take(&self, block: usize, segments: &mut Vec<Segment>) -> bool {
        // SAFETY: blocks lie one after the other in the mapping. The status word is shared with the kernel, hence
        // atomic; the rest of a block is ours while it says so, and offsets in it are the kernel's own.
        unsafe {
            let start = self.ring.add(block * BLOCK);
            let header = &raw mut (*start.cast::<libc::tpacket_block_desc>()).hdr.bh1;
            let status = AtomicU32::from_ptr(&raw mut (*header).block_status);
            if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
                return false;
            }
            let mut packet = start.add((*header).offset_to_first_pkt as usize);
            for _ in 0..(*header).num_pkts {
                let head = &*packet.cast::<libc::tpacket3_hdr>();
                let frame = packet.add(usize::from(head.tp_mac));
                let frame = std::slice::from_raw_parts(frame, head.tp_snaplen as usize);
                let at = u64::from(head.tp_sec) * 1_000_000_000 + u64::from(head.tp_nsec);
                segments.extend(segment(at, frame, self.ports));
                packet = packet.add(head.tp_next_offset as usize);
            }
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        true
    }

    fn lost(&self) -> u32 {
        // SAFETY: the kernel writes at most so many bytes into a struct on the stack.
        unsafe {
            let mut counts: libc::tpacket_stats_v3 = std::mem::zeroed();
            let mut length = size_of::<libc::tpacket_stats_v3>() as libc::socklen_t;
            let (level, name) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
            let at = (&raw mut counts).cast();
            match libc::getsockopt(self.socket.as_raw_fd(), level, name, at, &mut length) {
                0 => counts.tp_drops,
                _ => 0,
            }
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `open` with this size, and nothing borrows from it.
        unsafe { libc::munmap(self.ring.cast(), BLOCK * BLOCKS) };
    }
}

fn option<T>(socket: &Socket, level: libc::c_int, name: libc::c_int, value: &T) -> Result<(), Error> {
    // SAFETY: pointer and length are of one value that lives through the call.
    let set = unsafe {
        let length = size_of::<T>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(value).cast(), length)
    };
    if set == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// TCP over IPv4 with a payload, from or to one of the ports (classic BPF, as in the kernel's networking/filter).
fn filter(ports: Ports) -> [SockFilter; 23] {
    let [gateway, upstream] = [ports.gateway, ports.upstream].map(u32::from);
    let op = |code: u32, k| SockFilter::new(code as u16, 0, 0, k);
    // Jumps a match over so many instructions, and everything else over so many.
    let equal = |k, then, other| SockFilter::new((libc::BPF_JMP | libc::BPF_JEQ) as u16, then, other, k);
    let [half, byte] = [libc::BPF_H, libc::BPF_B].map(|size| libc::BPF_LD | libc::BPF_ABS | size);
    let [half_of_x, byte_of_x] = [libc::BPF_H, libc::BPF_B].map(|size| libc::BPF_LD | libc::BPF_IND | size);
    let ip_header_length = libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH;
    let alu = |operation: u32| libc::BPF_ALU | operation;
    [
        op(half, 12),
        equal(libc::ETH_P_IP as u32, 0, 20),
        op(byte, 23),
        equal(libc::IPPROTO_TCP as u32, 0, 18),
        op(half, 20),
        // A later fragment has no ports.
        SockFilter::new((libc::BPF_JMP | libc::BPF_JSET) as u16, 16, 0, 0x1fff),
        op(ip_header_length, 14),
        op(half_of_x, 14),
        equal(gateway, 4, 0),
        equal(upstream, 3, 0),
        op(half_of_x, 16),
        equal(gateway, 1, 0),
        equal(upstream, 0, 9),
        // Length of the TCP header, in bytes, and with it of both headers.
        op(byte_of_x, 14 + 12),
        op(alu(libc::BPF_RSH), 2),
        op(alu(libc::BPF_AND), 0x3c),
        op(alu(libc::BPF_ADD) | libc::BPF_X, 0),
        op(libc::BPF_MISC | libc::BPF_TAX, 0),
        op(half, 16),
        op(alu(libc::BPF_SUB) | libc::BPF_X, 0),
        equal(0, 1, 0),
        op(libc::BPF_RET, KEPT),
        op(libc::BPF_RET, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::packet::Way;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    #[test]
    fn what_passes_on_the_loopback_device_is_seen_once_with_its_time() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let ports = Ports { gateway: port(&listener), upstream: 1 };
        let capture = match Capture::open(ports) {
            Ok(capture) => capture,
            // Not allowed here: then the refusal must say what is missing.
            Err(why) => return assert!(why.contains("CAP_NET_RAW"), "{why}"),
        };
        let now = || std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos() as u64;
        let before = now();
        for (listener, text) in
            [(&other, "GET /?tidegate-perf=0000000001 X"), (&listener, "GET /?tidegate-perf=0000000002 X")]
        {
            let mut client =
                TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
            let (mut server, _) = listener.accept().expect("a client");
            let mut buffer = [0; 64];
            client.write_all(text.as_bytes()).expect("sent");
            assert_eq!(server.read(&mut buffer).expect("read"), text.len());
            server.write_all(b"answer").expect("sent");
            assert_eq!(client.read(&mut buffer).expect("read"), 6);
        }
        let after = now();
        let captured = capture.until(&AtomicBool::new(true));
        let ways: Vec<_> = captured.segments.iter().map(|found| (found.way, found.number)).collect();
        assert_eq!(ways, [(Way::RequestIn, Some(2)), (Way::ResponseOut, None)]);
        assert!(captured.segments.iter().all(|found| (before..=after).contains(&found.at)));
        assert_eq!(captured.lost, 0);
    }
}
