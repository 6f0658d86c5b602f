//! Who can take part in a workload. Every reason why somebody is left out stands here, in words for the report; what a
//! product learns is changed in this one place.

use crate::contestant::Entrant;
use crate::peer::Peer;
use crate::scripts::Unable;
use crate::workload::{Transport, Workload};

/// What Tidegate itself does not speak yet. The issue that brings TLS or HTTP/2 deletes the line.
fn tidegate(transport: Transport) -> Result<(), Unable> {
    match transport {
        Transport::Plain => Ok(()),
        Transport::Tls => Err("not yet: Tidegate does not terminate TLS"),
        Transport::Http2 => Err("not yet: Tidegate terminates neither TLS nor HTTP/2"),
        Transport::Http2Cleartext => Err("not yet: Tidegate does not speak HTTP/2"),
    }
}

/// An error if a workload is more than this one can do.
pub(crate) fn can(entrant: &Entrant, workload: Workload) -> Result<(), Unable> {
    match entrant {
        Entrant::Direct => match workload.without_gateway() {
            Some(_) => Ok(()),
            None => Err("only measured where the service without a gateway is the point"),
        },
        Entrant::Tidegate(_) => tidegate(workload.transport()),
        Entrant::Peer(peer, _) => peer_can(*peer, workload),
    }
}

fn peer_can(peer: Peer, workload: Workload) -> Result<(), Unable> {
    if let Some(script) = workload.script() {
        return match peer {
            Peer::NginxNjs => script.njs().map(|_| ()),
            Peer::NginxLua => script.nginx_lua().map(|_| ()),
            Peer::HaproxyLua => script.haproxy().map(|_| ()),
            Peer::Dgate => script.dgate().map(|_| ()),
            _ => Err("it runs no scripts here"),
        };
    }
    if workload.session() {
        return match peer {
            Peer::NginxNjs | Peer::Haproxy | Peer::Envoy => Ok(()),
            Peer::Nginx => Err("only with a script or as a paid product; nginx-njs takes part"),
            Peer::NginxLua | Peer::HaproxyLua => Err("nothing shipped with it verifies a JWT"),
            Peer::Traefik => Err("only its paid product verifies a JWT"),
            Peer::Caddy => Err("only a plugin verifies a JWT, and the binary has none"),
            Peer::Pingora => Err("the library has nothing for a JWT"),
            Peer::Dgate => Err("modules of DGate 2.1 have no cryptography"),
        };
    }
    match (workload, peer) {
        (Workload::DirectResponse, Peer::Traefik) => Err("it has no answers of its own"),
        (_, Peer::Dgate) if workload.transport() != Transport::Plain => {
            Err("DGate 2.1 is measured over HTTP/1.1 in the clear alone")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn tidegate_takes_part_wherever_it_speaks_the_transport() {
        for workload in Workload::value_variants() {
            let able = can(&Entrant::Tidegate("/".into()), *workload).is_ok();
            assert_eq!(able, workload.transport() == Transport::Plain, "{workload:?}");
        }
    }

    #[test]
    fn nobody_is_measured_at_what_it_cannot_do() {
        let peer = |peer: Peer, workload| can(&Entrant::Peer(peer, "/".into()), workload).is_ok();
        for (who, workload, expected) in [
            (Peer::Nginx, Workload::SmallGet, true),
            (Peer::Nginx, Workload::ScriptHeader, false),
            (Peer::NginxNjs, Workload::ScriptHeader, true),
            (Peer::NginxNjs, Workload::SmallGet, true),
            (Peer::Dgate, Workload::ScriptBoth, false),
            (Peer::Caddy, Workload::Jwt, false),
            (Peer::Envoy, Workload::Jwt, true),
            (Peer::Traefik, Workload::DirectResponse, false),
            (Peer::Dgate, Workload::HttpsGet, false),
        ] {
            assert_eq!(peer(who, workload), expected, "{who:?} {workload:?}");
        }
        assert!(can(&Entrant::Direct, Workload::Jwt).is_ok());
        assert!(can(&Entrant::Direct, Workload::SmallGet).is_err());
    }
}
