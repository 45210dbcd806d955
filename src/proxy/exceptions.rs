//! `NO_PROXY`: the servers that are asked directly.

use std::net::IpAddr;

use ipnet::IpNet;

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
    /// `*`, or a port alone.
    Any,
    Address(IpAddr),
    Network(IpNet),
    /// This name and all below it.
    Name(String),
    /// `.suffix`, `*.suffix`: all names below it, and not the name itself.
    Below(String),
}

impl Exceptions {
    /// Reads a list; entries are separated by commas or white space. What is not an entry names
    /// nothing.
    pub(super) fn parse(list: &str) -> Exceptions {
        let entries = list.split(|c: char| c == ',' || c.is_whitespace());
        Exceptions(entries.filter(|entry| !entry.is_empty()).map(Exception::parse).collect())
    }

    /// Whether requests to this host, as a URL has it, go directly.
    pub(super) fn has(&self, host: &str, port: u16) -> bool {
        let host = unbracketed(host).trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse().ok();
        self.0.iter().any(|exception| exception.has(&host, address, port))
    }
}

impl Exception {
    fn parse(entry: &str) -> Exception {
        if let Ok(network) = entry.parse() {
            return Exception { host: HostPattern::Network(network), port: None };
        }
        if let Ok(address) = unbracketed(entry).parse() {
            return Exception { host: HostPattern::Address(address), port: None };
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if let Ok(port) = port.parse() => (host, Some(port)),
            _ => (entry, None),
        };
        let name = unbracketed(host).trim_end_matches('.').to_ascii_lowercase();
        let host = match name.strip_prefix('*').unwrap_or(&name) {
            "" => HostPattern::Any,
            rest if let Ok(address) = rest.parse() => HostPattern::Address(address),
            rest => match rest.strip_prefix('.') {
                Some(suffix) => HostPattern::Below(suffix.to_owned()),
                None => HostPattern::Name(rest.to_owned()),
            },
        };
        Exception { host, port }
    }

    fn has(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        let is_below = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
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

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}
