//! `NO_PROXY`: the servers that are asked directly.
//!
//! As Go reads it, but that a dot at the end of a name changes nothing.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// What is asked directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions(Vec<Exception>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Exception {
    host: HostPattern,
    /// On this port alone.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    /// `*`
    Any,
    Address(IpAddr),
    Network(IpNet),
    /// This name and all below it.
    Name(String),
    /// `.suffix`, `*.suffix`: all names below it, and not the name itself.
    Below(String),
}

impl Exceptions {
    /// Reads a list; entries are separated by commas. What is not an entry names nothing.
    pub(super) fn parse(list: &str) -> Exceptions {
        Exceptions(list.split(',').filter_map(|entry| Exception::parse(entry.trim())).collect())
    }

    /// Whether requests to this host, as a URL has it, go directly.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let host = unbracketed(host).trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        self.0.iter().any(|exception| exception.has(&host, address, port))
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Exception> {
        if entry == "*" {
            return Some(Exception { host: HostPattern::Any, port: None });
        }
        if let Ok(network) = entry.parse() {
            return Some(Exception { host: HostPattern::Network(canonical(network)), port: None });
        }
        if let Some(host) = address(unbracketed(entry)) {
            return Some(Exception { host, port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if let Ok(port) = port.parse() => (host, Some(port)),
            _ => (entry, None),
        };
        let name = unbracketed(host).trim_end_matches('.').to_ascii_lowercase();
        if let Some(host) = address(&name) {
            return Some(Exception { host, port });
        }
        // A star stands for anything only before a dot.
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(&name);
        let host = match name.strip_prefix('.') {
            // A port alone is no host.
            None if name.is_empty() => return None,
            None => HostPattern::Name(name.to_owned()),
            Some(suffix) => HostPattern::Below(suffix.to_owned()),
        };
        Some(Exception { host, port })
    }

    fn has(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        // An address is below no name.
        let is_below = |name: &str| {
            address.is_none() && host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
        };
        let is_host = match &self.host {
            HostPattern::Any => true,
            HostPattern::Address(one) => address == Some(*one),
            HostPattern::Network(network) => address.is_some_and(|one| network.contains(&one)),
            HostPattern::Name(name) => host == name || is_below(name),
            HostPattern::Below(suffix) => is_below(suffix),
        };
        is_host && self.port.is_none_or(|own| own == port)
    }
}

fn address(text: &str) -> Option<HostPattern> {
    let address: IpAddr = text.parse().ok()?;
    Some(HostPattern::Address(address.to_canonical()))
}

/// A network of IPv4 addresses that is written as one of IPv6 is what it stands for.
fn canonical(network: IpNet) -> IpNet {
    match network.network().to_canonical() {
        IpAddr::V4(address) if network.prefix_len() >= 96 => {
            let v4 = Ipv4Net::new(address, network.prefix_len() - 96);
            v4.map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
