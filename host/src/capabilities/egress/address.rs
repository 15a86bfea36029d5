//! Which addresses egress may dial: public ones, and what the operator allows besides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is not public in IPv4: IANA's special-purpose registry (RFC 6890 and its updates), and the one public
/// address that a cloud answers metadata on.
const REFUSED_V4: [([u8; 4], u8, &str); 17] = [
    ([0, 0, 0, 0], 8, "unspecified"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([168, 63, 129, 16], 32, "metadata"),
    ([169, 254, 0, 0], 16, "link-local or metadata"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "reserved"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 52, 193, 0], 24, "reserved"),
    ([192, 88, 99, 0], 24, "6to4 relay"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarking"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 4, "multicast"),
    ([240, 0, 0, 0], 4, "reserved"),
];

/// What is not public in IPv6. The first match names the reason; what is outside of 2000::/3 and not named is
/// reserved.
const REFUSED_V6: [([u16; 8], u8, &str); 16] = [
    ([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified"),
    ([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback"),
    ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped"),
    ([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible"),
    ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64"),
    ([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "NAT64"),
    ([0x100, 0, 0, 0, 0, 0, 0, 0], 8, "reserved"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo"),
    ([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking"),
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "reserved"),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation"),
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4"),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation"),
    ([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "unique-local"),
    ([0xfe80, 0, 0, 0, 0, 0, 0, 0], 9, "link-local"),
    ([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast"),
];

/// The addresses that the operator allows though they are not public.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed(Vec<IpNet>);

impl Allowed {
    pub(crate) fn new(nets: Vec<IpNet>) -> Self {
        Self(nets)
    }

    /// Whether the operator named it. An address that carries another one needs both to be fit to dial.
    pub(crate) fn names(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&ip))
            && carried(ip).is_none_or(|inner| self.refusal(inner.into()).is_none())
    }

    /// Why an address may not be dialled.
    pub(crate) fn refusal(&self, ip: IpAddr) -> Option<&'static str> {
        special(ip).filter(|_| !self.names(ip))
    }
}

fn special(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => REFUSED_V4.iter().find_map(|&(octets, length, reason)| {
            let net = Ipv4Net::new(Ipv4Addr::from(octets), length).ok()?;
            net.contains(&ip).then_some(reason)
        }),
        IpAddr::V6(ip) => {
            let named = REFUSED_V6.iter().find_map(|&(segments, length, reason)| {
                let net = Ipv6Net::new(Ipv6Addr::from(segments), length).ok()?;
                net.contains(&ip).then_some(reason)
            });
            named.or_else(|| (ip.segments()[0] & 0xe000 != 0x2000).then_some("reserved"))
        }
    }
}

/// The IPv4 address that packets to this one reach in the end.
fn carried(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let s = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] if s[6] != 0 || s[7] > 1 => Some(v4(s[6], s[7])),
        // The local-use prefix may place the address elsewhere (RFC 6052), but a /96 of it ends like the well-known.
        [0x64, 0xff9b, ..] => Some(v4(s[6], s[7])),
        [0x2002, ..] => Some(v4(s[1], s[2])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(ip: &str) -> bool {
        Allowed::default().refusal(ip.parse().unwrap()).is_some()
    }

    #[test]
    fn what_is_not_public_is_refused() {
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "::1",
            "::2",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "64:ff9b:1:fffe::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "5f00::1",
            "e000::1",
        ] {
            assert!(refused(ip), "{ip}");
        }
    }

    #[test]
    fn what_is_public_passes() {
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.0.0",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "2001:4860:4860::8888",
        ] {
            assert!(!refused(ip), "{ip}");
        }
    }

    #[test]
    fn an_allowance_covers_what_it_names_and_nothing_else() {
        let allowed = Allowed::new(vec!["127.0.0.1/32".parse().unwrap(), "64:ff9b::/96".parse().unwrap()]);
        let refused = |ip: &str| allowed.refusal(ip.parse().unwrap()).is_some();
        assert!(!refused("127.0.0.1"));
        assert!(refused("127.0.0.2") && refused("::1") && refused("::ffff:127.0.0.1"));
        // The translator's prefix is allowed, but not what lies behind it.
        assert!(!refused("64:ff9b::808:808"));
        assert!(refused("64:ff9b::a9fe:a9fe") && refused("64:ff9b::a00:1"));
    }
}
