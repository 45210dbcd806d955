//! HTTP as the stub speaks it: requests and answers as they are on the wire, on threads that block.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub(super) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// A request with all of its body.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query, or what CONNECT names.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The next one of a connection, if there is one.
    pub(super) fn read(reader: &mut BufReader<impl Stream>) -> Option<Request> {
        let first = line(reader)?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut request = Request { method, target, ..Request::default() };
        loop {
            let line = line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn host(&self) -> &str {
        self.header("host").unwrap_or_default()
    }

    /// Without its query, and the query.
    pub(super) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// As a load balancer passes it on: what is for one hop is gone or its own, names are written
    /// in another way and stand in another order.
    pub(super) fn behind_a_load_balancer(mut self) -> Request {
        const HOP: [&str; 6] =
            ["connection", "keep-alive", "te", "accept", "accept-encoding", "user-agent"];
        self.headers.retain(|(name, _)| !HOP.contains(&name.as_str()));
        for (name, value) in [
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
            ("x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793"),
            ("via", "1.1 balancer"),
            ("user-agent", "balancer"),
            ("connection", "close"),
        ] {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self.headers.reverse();
        self
    }

    /// What another server says to it.
    pub(super) fn forward(&self, to: &str) -> Answer {
        let mut stream = TcpStream::connect(to).unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "content-length") {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", self.body.len());
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&self.body).unwrap();
        let mut reader = BufReader::new(stream);
        let status = line(&mut reader).unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        while line(&mut reader).is_some_and(|line| !line.is_empty()) {}
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        Answer { status, headers: Vec::new(), body }
    }
}

fn line(reader: &mut BufReader<impl Read>) -> Option<String> {
    let mut line = String::new();
    let count = reader.read_line(&mut line).ok()?;
    (count > 0).then(|| line.trim_end().to_owned())
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Answer {
        self.headers.push((name, value.into()));
        self
    }

    /// To a request with this method.
    pub(super) fn write(&self, stream: &mut impl Stream, method: &str) -> std::io::Result<()> {
        let (status, length) = (self.status, self.body.len());
        let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n");
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        if method != "HEAD" {
            stream.write_all(&self.body)?;
        }
        stream.flush()
    }
}
