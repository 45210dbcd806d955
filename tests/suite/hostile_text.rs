//! Text that others wrote, at every place where weir prints: it stands on one line that weir has
//! begun, is bounded, and steers no terminal. What is kept of it stays byte for byte.
//!
//! The first test finds the places; each of the others walks some of them through the real binary.
//! What only the inside meets is tested beside the code: panics in `src/panics.rs`, modules in
//! `src/stages/tests/`, answers in `src/opensearch/response.rs` and `src/kube/answer.rs`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{Ended, Folder, modules, repository, until};

/// Ends the line, begins others that look like weir's, colours and turns what follows, and rings.
const HOSTILE: &str = "no\nFORGED ledger received=9\r\u{1b}[31m\u{9b}2J\u{202e}\u{2028}FORGED\u{7}\u{85}\
                       \u{61c}end";
/// Far more than a line may have.
const LONG_BYTES: usize = 1 << 20;
/// What a line may have: several texts, each bounded.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Fails where a line is not one of weir's own, or steers a terminal.
fn assert_steers_nothing(printed: &str) {
    for line in printed.split('\n') {
        let is_harmful = |c: char| {
            c.is_control() || "\u{61c}\u{202e}\u{2028}\u{2066}\u{200f}\u{feff}".contains(c)
        };
        assert!(!line.contains(is_harmful), "{line:?}");
        assert!(!line.starts_with("FORGED"), "in {printed:?}");
    }
}

/// The same, and where it is longer than any line has to be.
fn assert_harmless(printed: &str) {
    assert_steers_nothing(printed);
    let longest = printed.split('\n').map(str::len).max().unwrap_or(0);
    assert!(longest <= LINE_BYTES_MAX, "{longest} bytes: {printed:.200}");
}

fn all_harmless(ended: &Ended) {
    assert_harmless(&ended.stdout);
    assert_harmless(&ended.stderr);
}

/// The files that print, and what. A new one goes through `src/text.rs`, and into a test here.
const PRINTING: [(&str, &str); 10] = [
    ("main.rs", "errors: `said` in cli/mod.rs, and Diagnostics"),
    ("cli/mod.rs", "what a command was asked to print"),
    ("cli/run.rs", "the ledger's line: numbers"),
    ("cli/dead_letter/list.rs", "letters"),
    ("cli/dead_letter/replay.rs", "the ledger's line: numbers"),
    ("cli/migrate/mod.rs", "notes on a configuration of another tool"),
    ("cli/filter/mod.rs", "what a module imports, and what it does with events"),
    ("panics.rs", "what panicked"),
    ("stages/compile.rs", "the compiler's child, to its parent"),
    ("telemetry/mod.rs", "the log"),
];

#[test]
fn whatever_prints_is_known_here() {
    let mut found = BTreeSet::new();
    let source = repository().join("src");
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true if matches!(name.as_str(), "tests" | "simulator") => {}
                true => folders.push(path),
                false if prints(&path) => {
                    found.insert(path.strip_prefix(&source).unwrap().display().to_string());
                }
                false => {}
            }
        }
    }
    let known: BTreeSet<String> = PRINTING.map(|(file, _)| file.to_owned()).into();
    assert_eq!(found, known);
}

/// Whether a file writes to a standard stream.
fn prints(file: &PathBuf) -> bool {
    let text = std::fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let words = ["println!", "print!(", "eprint!(", "dbg!(", "write_all(bytes)"];
    words.iter().any(|word| code.contains(word))
        || ["stdout().lock()", "(io::stderr(),"].iter().any(|stream| code.contains(stream))
}

/// A server that refuses whatever is asked, as an API server and as OpenSearch.
struct Refusing(SocketAddr);

impl Refusing {
    fn start() -> Refusing {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                std::thread::spawn(move || refuse(stream));
            }
        });
        Refusing(address)
    }

    fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {{cluster: a, user: a}}\nclusters:\n- name: a\n  cluster: {{server: \"http://{}\"}}\nusers:\n- name: a\n  user: {{token: x}}\n",
            self.0
        )
    }
}

/// Answers one request, and closes.
fn refuse(stream: TcpStream) {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let _ = std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink());
    let (status, body) = answer(first.split(' ').nth(1).unwrap_or_default());
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = (&stream).write_all(&[head.as_bytes(), body.as_bytes()].concat());
}

fn answer(path: &str) -> (u16, String) {
    if path.contains("/leases/held") {
        let mark = serde_json::json!({
            "version": 1, "pipeline": HOSTILE, "source": HOSTILE,
            "target": { "kind": HOSTILE, "index": HOSTILE }, "positions": { HOSTILE: HOSTILE },
        });
        let lease = serde_json::json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": "held", "namespace": "n", "resourceVersion": "1", "uid": "u",
                "annotations": { "weir/settled": mark.to_string() } },
            "spec": { "holderIdentity": HOSTILE },
        });
        return (200, lease.to_string());
    }
    let user = "x; rm -rf ~ #";
    let message = format!("events is forbidden: User \"{user}\" cannot list resource {HOSTILE}");
    if path.starts_with("/api") {
        let status = serde_json::json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
            "reason": HOSTILE, "message": message,
            "details": { "causes": [{ "field": HOSTILE, "message": HOSTILE.repeat(100) }] },
        });
        return (403, status.to_string());
    }
    let reason = format!("{HOSTILE}{}", "x".repeat(LONG_BYTES));
    let error = serde_json::json!({ "type": HOSTILE, "reason": reason,
        "caused_by": { "type": "x", "reason": reason } });
    (401, serde_json::json!({ "error": error, "status": 401 }).to_string())
}

/// A run, whose log is read as it comes; it is ended with the test.
struct Running {
    child: Child,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    fn start(folder: &Folder, arguments: &[&str]) -> Running {
        let mut command = folder.command(arguments);
        command.env("KUBECONFIG", folder.path().join("kubeconfig"));
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (mut stderr, read) = (child.stderr.take().unwrap(), log.clone());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(bytes @ 1..) = stderr.read(&mut piece) {
                read.lock().unwrap().extend_from_slice(&piece[..bytes]);
            }
        });
        Running { child, log }
    }

    /// The lines that are whole.
    fn log(&self) -> String {
        let log = self.log.lock().unwrap();
        let end = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        String::from_utf8(log[..end].to_vec()).unwrap()
    }

    fn readiness(&self) -> String {
        let log = self.log();
        let at = log.find("serving /metrics").unwrap();
        // Before or behind it, as the form of the log has it.
        let line = log[..at].rfind('\n').map_or(0, |start| start + 1);
        let address = &log[line..][log[line..].find("127.0.0.1:").unwrap()..];
        let end = address.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit()).unwrap();
        let mut stream = TcpStream::connect(&address[..end]).unwrap();
        stream.write_all(b"GET /readyz?verbose HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_servers_say_is_harmless_in_both_logs_and_in_readiness() {
    let server = Refusing::start();
    let config = format!(
        "name = 'p'\nsource.kind = 'kubernetes'\nsink = {{ kind = 'opensearch', hosts = ['http://{}'], index = 'i' }}\nadmin.listen = '127.0.0.1:0'\nlease = {{ enabled = true, name = 'l', namespace = 'n' }}\n",
        server.0
    );
    let without_lease = config.lines().take(4).collect::<Vec<_>>().join("\n");
    for (format, config) in [("human", &without_lease), ("json", &without_lease), ("json", &config)]
    {
        let folder = Folder::with(&[("p.toml", config), ("kubeconfig", &server.kubeconfig())]);
        let run = Running::start(&folder, &["run", "--config", "p.toml", "--log-format", format]);
        let has_lease = config.contains("lease");
        let told = |log: &str| {
            let source = log.contains("weir may not list events");
            let sink = log.contains("OpenSearch refuses");
            if has_lease { log.contains("weir may not get the Lease") } else { source && sink }
        };
        until("both servers' refusals are told", || told(&run.log()));
        let readiness = run.readiness();
        assert!(readiness.starts_with("not ok\n"), "{readiness}");
        for printed in [&readiness, &run.log()] {
            assert_harmless(printed);
            // As one word, whatever the user is called.
            assert!(printed.contains("--as 'x; rm -rf ~ #'"), "{printed}");
        }
        // What to do is not cut off with what the server says.
        assert!(readiness.contains("says yes"), "{readiness}");
        for line in run.log().lines().filter(|_| format == "json") {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let texts = line.as_object().unwrap().values().filter_map(|value| value.as_str());
            texts.for_each(assert_harmless);
        }
    }
}

#[test]
fn what_a_lease_says_is_harmless_where_its_position_is_shown() {
    let server = Refusing::start();
    let config = "name = 'p'\nsource.kind = 'kubernetes'\nsink.kind = 'stdout'\nlease = { enabled = true, name = 'held', namespace = 'n' }\n";
    let folder = Folder::with(&[("p.toml", config), ("kubeconfig", &server.kubeconfig())]);
    for command in ["show", "keep", "reset"] {
        let mut command = folder.command(&["position", command, "--config", "p.toml"]);
        let ended = folder.end_of(command.env("KUBECONFIG", folder.path().join("kubeconfig")));
        assert!(ended.stdout.contains("FORGED") || ended.stderr.contains("FORGED"), "{ended:?}");
        all_harmless(&ended);
    }
}

const PIPELINE: &str = "name = 'p'\nsource = { kind = 'file', path = 'in' }\nsink = { kind = 'file', path = 'out' }\ndead_letter.path = 'dead'\n";

#[test]
fn what_events_hold_is_harmless_in_logs_and_letters_and_kept_byte_for_byte() {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let long = json(&format!("{HOSTILE}{}", "x".repeat(LONG_BYTES)));
    let events = [
        format!(r#"{{"kind":{},"apiVersion":"v1"}}"#, json(HOSTILE)),
        format!(r#"{{"kind":{long},"apiVersion":"v1"}}"#),
        "{\"kind\":\u{9b}31m\u{202e}}".to_owned(),
    ];
    for format in ["human", "json"] {
        let folder = Folder::with(&[("p.toml", PIPELINE), ("in", &(events.join("\n") + "\n"))]);
        let run = folder.weir(&["run", "--config", "p.toml", "--log-format", format]);
        assert!(run.last().contains("dead_lettered=3"), "{}", run.stderr);
        all_harmless(&run);
        let weir = |arguments: &[&str]| {
            let ended = folder.weir(&[&["dead-letter"], arguments].concat());
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            ended
        };
        all_harmless(&weir(&["list", "--config", "p.toml"]));
        let list = weir(&["list", "--json", "--config", "p.toml"]);
        all_harmless(&list);
        for (row, event) in list.stdout.lines().zip(&events) {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            assert_harmless(row["detail"].as_str().unwrap());
            let id = row["id"].as_str().unwrap();
            let show = weir(&["show", "--json", "--config", "p.toml", id]);
            assert!(!show.stdout.trim_end().contains(|c: char| c.is_control()));
            let letter: serde_json::Value = serde_json::from_str(&show.stdout).unwrap();
            assert!(letter["source"].as_str().unwrap().trim_end() == event, "byte for byte");
            assert_steers_nothing(&weir(&["show", "--config", "p.toml", id]).stdout);
        }
    }
}

#[test]
fn what_lies_in_a_folder_of_letters_is_harmless_whoever_put_it_there() {
    let folder = Folder::with(&[("p.toml", PIPELINE), ("in", "")]);
    let letter = |more: serde_json::Value| {
        let mut letter = serde_json::json!({
            "version": 1, "time": HOSTILE, "where": "stage", "stage": HOSTILE, "reason": HOSTILE,
            "detail": HOSTILE.repeat(10_000), "source": HOSTILE,
        });
        letter.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        letter.to_string() + "\n"
    };
    let event = serde_json::json!({
        "involvedObject": { "kind": HOSTILE, "namespace": HOSTILE.repeat(10_000), "name": HOSTILE },
        "reason": HOSTILE.repeat(10_000),
    });
    let mut letters = letter(serde_json::json!({ "source": event.to_string() }));
    letters += &letter(serde_json::json!({ "where": HOSTILE }));
    letters += "{\u{9b}2J\n";
    for reason in 0..1000 {
        letters += &letter(serde_json::json!({ "reason": format!("r{reason}"), "detail": "" }));
    }
    folder.write("dead/00000001.jsonl", letters);
    for number in 0..1000 {
        folder.write(&format!("dead/{number}\nFORGED\u{1b}[31m.jsonl"), "");
    }
    for arguments in [
        &["list", "--from", "dead"][..],
        &["list", "--json", "--from", "dead"],
        &["show", "--from", "dead", "1:1", "1:2", "1:3"],
        &["show", "--json", "--from", "dead", "1:2", "1:3"],
        &["show", "--from", "dead", "9:9"],
        &["replay", "--config", "p.toml", "--from", "dead", "1:1"],
    ] {
        let ended = folder.weir(&[&["dead-letter"], arguments].concat());
        assert!(!ended.stderr.is_empty() || !ended.stdout.is_empty());
        assert_harmless(&ended.stderr);
        // Whoever asks for a letter is to see all of it.
        match arguments[0] {
            "show" => assert_steers_nothing(&ended.stdout),
            _ => assert_harmless(&ended.stdout),
        }
    }
    let counts = folder.weir(&["dead-letter", "list", "--from", "dead"]);
    assert!(counts.last().ends_with("of other reasons"), "{}", counts.last());
}

#[test]
fn what_a_configuration_holds_is_harmless_in_diagnostics_and_in_what_check_prints() {
    let key = toml_string(HOSTILE);
    let long = toml_string(&format!("{HOSTILE}{}", "x".repeat(LONG_BYTES)));
    let name = "p\nFORGED\u{1b}[31m.toml";
    let configs = [
        format!("{key} = 1\n{long} = 2\nname = {key}\ncluster = {key}\nworkers = {key}\n"),
        format!("{PIPELINE}[source2]\n[source.{key}]\n[buffer]\nmemory = {key}\npath = {key}\n"),
        format!("name = 'p'\nsource = {{ kind = {long} }}\nsink = {{ kind = {key} }}\n"),
        format!(
            "name = 'p'\nsource = {{ kind = 'kubernetes', field_selector = {long} }}\nsink = {{ kind = 'opensearch', hosts = [{key}, {long}], index = {key}, password = {{ {key} = 1 }}, proxy = {long} }}\n"
        ),
        format!(
            "{PIPELINE}[[stage]]\nname = 'a'\nmodule = 'no\u{85}.wasm'\nmatch.reason = [{key}]\n"
        ),
        "name = 'p'\n= \u{9b}\n\u{202e}\n".to_owned(),
        format!("a = 1\n{long} = 1\n{long} = 2\n"),
    ];
    for config in &configs {
        let folder = Folder::with(&[(name, config.as_str()), ("in", "")]);
        let ended = folder.weir(&["check", name]);
        assert_eq!(ended.code, Some(2), "{}", ended.stdout);
        all_harmless(&ended);
    }
    let valid = format!("{PIPELINE}[[stage]]\nname = 'a'\ndrop = true\nmatch.reason = [{key}]\n");
    let folder = Folder::with(&[("p.toml", valid.as_str()), ("in", "")]);
    let ended = folder.weir(&["check", "p.toml"]);
    assert!(ended.code == Some(0) && ended.stdout.contains("FORGED"), "{ended:?}");
    all_harmless(&ended);
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\u{:04X}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}

#[test]
fn a_command_that_weir_suggests_takes_a_folder_as_one_word_whatever_its_name() {
    use std::os::unix::fs::PermissionsExt;
    let name = "x; touch FORGED #\n'";
    let config = format!("{PIPELINE}buffer.path = {}\n", toml_string(name));
    // A control character is no part of a path that a configuration names.
    let refused = Folder::with(&[("p.toml", &config), ("in", "")]).weir(&["check", "p.toml"]);
    assert_eq!(refused.code, Some(2));
    let name = "x; touch FORGED #'";
    let config = format!("{PIPELINE}buffer.path = {}\n", toml_string(name));
    let folder = Folder::with(&[("p.toml", config.as_str()), ("in", "")]);
    let spool = folder.path().join(name);
    std::fs::create_dir(&spool).unwrap();
    std::fs::set_permissions(&spool, std::fs::Permissions::from_mode(0o777)).unwrap();
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let command = ended.stderr.split('`').nth(1).unwrap().to_owned();
    assert!(command.starts_with("chmod o-w "), "{command}");
    let command =
        command.replace("DIR", &folder.path().canonicalize().unwrap().display().to_string());
    run_in_shell(&command, folder.path());
    assert!(!folder.path().join("FORGED").exists());
    let mode = std::fs::metadata(&spool).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o775, "it does what it says");
}

fn run_in_shell(command: &str, folder: &Path) {
    let status =
        std::process::Command::new("sh").args(["-c", command]).current_dir(folder).status();
    assert!(status.unwrap().success(), "{command}");
}

#[test]
fn what_a_dry_run_shows_of_events_is_harmless_and_says_the_same() {
    let folder = Folder::new();
    folder.write("it.wasm", modules::Guest::default().component());
    let long = "x".repeat(LONG_BYTES);
    let event = |message: &str| {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": HOSTILE},
            "involvedObject": {"kind": HOSTILE, "name": HOSTILE}, "reason": HOSTILE,
            "message": message,
        })
    };
    let lines = format!("{}\n{}\n{HOSTILE}\n", event(HOSTILE), event(&long));
    folder.write("events.jsonl", lines);
    let ended = folder.weir(&["filter", "try", "it.wasm", "--from", "events.jsonl"]);
    assert_steers_nothing(&ended.stdout);
    all_harmless(&Ended { stdout: String::new(), ..ended });
}
