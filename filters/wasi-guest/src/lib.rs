//! Asks WASI for everything that Rust's standard library can ask it for, and carries away the
//! answers as `/wasi`.
//!
//! Built for wasm32-wasip2, it holds `wasi = "stub"` to what it promises. Not for use.

#![allow(clippy::disallowed_methods, reason = "it asks for what no module should")]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, io, process, thread};

use serde_json::{Value, json};
use weir_filter::{Config, Error, Event, Stage, Verdict};

struct WasiGuest;

impl Stage for WasiGuest {
    fn configure(config: &Config) -> Result<Self, Error> {
        config.expect_empty()?;
        println!("configured");
        Ok(Self)
    }

    fn process(&mut self, event: &mut Event) -> Result<Verdict, Error> {
        match event.reason().as_str() {
            "Panics" => panic!("so it does"),
            "Exits" => process::exit(1),
            _ => event.set_json("/wasi", &answers().to_string())?,
        }
        print!("with");
        println!(" an end");
        eprint!("without");
        io::stdout().flush().map_err(|error| error.to_string())?;
        Ok(Verdict::Keep)
    }
}

weir_filter::export!(WasiGuest);

fn answers() -> Value {
    let began = Instant::now();
    thread::sleep(Duration::from_secs(3600));
    let mut line = String::new();
    json!({
        "environment": env::vars_os().count(),
        "arguments": env::args_os().count(),
        "stdin": io::stdin().read_line(&mut line).map_err(|error| error.kind().to_string()),
        "read": error(fs::read("/etc/hostname")),
        "write": error(fs::write("here", "x")),
        "folder": error(fs::read_dir("/")),
        "resolve": error(("localhost", 80).to_socket_addrs().map(|_| ())),
        "tcp": error(TcpStream::connect((Ipv4Addr::LOCALHOST, 80))),
        "udp": error(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))),
        "now": SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |now| now.as_micros() as u64),
        "slept": began.elapsed().as_micros() as u64,
        "random": RandomState::new().hash_one(1),
    })
}

/// Whether it failed.
fn error<T>(answer: io::Result<T>) -> bool {
    answer.is_err()
}
