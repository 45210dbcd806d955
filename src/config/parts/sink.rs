//! `[sink]`, and `[dead_letter]`, whose index is in the sink's OpenSearch.

use std::collections::BTreeSet;

use crate::config::index;
use crate::config::input::Input;
use crate::config::keys::{DeadLetterKind, SinkKind};
use crate::config::rules::same_host;
use crate::config::section::Section;
use crate::dead_letter;
use crate::opensearch::{self, Aws, ProxySetting, Service, Username, is_loopback, named_by};
use crate::sink::{IndexPattern, Mode, OpenSearchSettings, Settings, Setup, Template};

pub(super) fn build(input: &mut Input<'_>, section: &Section) -> Option<Settings> {
    Some(match section.word("kind")? {
        SinkKind::OpenSearch => Settings::OpenSearch(opensearch(input, section)?),
        SinkKind::File => Settings::File { path: section.path("path")? },
        SinkKind::Stdout => Settings::Stdout,
    })
}

fn opensearch(input: &mut Input<'_>, section: &Section) -> Option<OpenSearchSettings> {
    in_pairs(input, section);
    if section.is_given("authorization") && section.is_given("username") {
        let text = "`authorization` is instead of `username` and `password`: keep one of the two";
        input.error(section.at("authorization"), text);
    }
    let hosts = section.texts("hosts");
    if let Some(hosts) = &hosts {
        check_hosts(input, section, hosts);
    }
    template_of_setup(input, section);
    let aws = aws(input, section, hosts.as_deref().unwrap_or_default());
    let mode = section.word("mode")?;
    let index = documents_index(section)?;
    if mode == Mode::Latest && index.date.is_some() {
        index_without_a_date(input, section);
    }
    Some(OpenSearchSettings {
        connection: opensearch::Settings {
            hosts: hosts?,
            username: username(section),
            password: section.secret("password"),
            authorization: section.secret("authorization"),
            aws,
            ca: section.path("ca"),
            identity: section.path("certificate").zip(section.path("key")),
            // Its rule has parsed it before.
            proxy: section
                .text("proxy")
                .and_then(|text| ProxySetting::parse(&text).ok())
                .unwrap_or_default(),
            compression: section.word("compression")?,
        },
        index,
        mode,
        template: section.word("template")?,
        duplicates: section.word("duplicates")?,
        setup: section.word("setup")?,
        last_timestamp: section.word("last_timestamp")?,
    })
}

/// Who is told apart from the password even where the rest of the sink is wrong.
pub(in crate::config) fn username(section: &Section) -> Option<Username> {
    let is = section.text("username").map(Username::Is);
    is.or_else(|| section.secret("username").map(Username::From))
}

/// `index`, whose rule has parsed it before.
fn documents_index(section: &Section) -> Option<IndexPattern> {
    index::parse(&section.text("index")?).ok()
}

fn in_pairs(input: &mut Input<'_>, section: &Section) {
    for (one, other) in [
        ("username", "password"),
        ("password", "username"),
        ("certificate", "key"),
        ("key", "certificate"),
    ] {
        if section.is_given(one) && !section.is_in_file(other) {
            input.error(section.at(one), format!("`{one}` needs `{other}` beside it"));
        }
    }
}

fn check_hosts(input: &mut Input<'_>, section: &Section, hosts: &[String]) {
    let is_plain = |host: &String| same_host(host).starts_with("http://");
    for key in ["ca", "certificate"] {
        if section.is_given(key) && hosts.iter().all(is_plain) {
            let text = format!("`{key}` is for https, and all `hosts` are http");
            input.error(section.at(key), text);
        }
    }
    let distinct: BTreeSet<String> = hosts.iter().map(|host| same_host(host)).collect();
    if distinct.len() < hosts.len() {
        input.error(section.at("hosts"), "`hosts` names a host twice");
    }
}

/// Diagnoses a setup that is to do without a template.
fn template_of_setup(input: &mut Input<'_>, section: &Section) {
    let is_skipped = section.word("template") == Some(Template::Skip);
    if is_skipped && section.word("setup") == Some(Setup::Run) {
        let text = "`setup = \"run\"` installs the index template, too: leave out \
                    `template = \"skip\"`";
        input.error(section.at("setup"), text);
    }
}

/// `aws`, whose rules have read it before.
fn aws(input: &mut Input<'_>, section: &Section, hosts: &[String]) -> Option<Aws> {
    if !section.is_given("aws") {
        return None;
    }
    for key in ["username", "authorization"] {
        if section.is_given(key) {
            let text = format!(
                "`{key}` may not stand beside `aws`: a request has one Authorization header, and \
                 that is the signature"
            );
            input.error(section.at(key), text);
        }
    }
    let aws = section.section("aws")?;
    let aws = Aws { region: aws.text("region")?, service: aws.word("service")? };
    for host in hosts {
        if let Some(text) = not_signed_for(host, &aws) {
            input.error(section.at("hosts"), text);
        }
    }
    if aws.service == Service::Serverless && hosts.len() > 1 {
        let text = "a collection of OpenSearch Serverless has one endpoint: name one host";
        input.error(section.at("hosts"), text);
    }
    if aws.service == Service::Serverless && section.word("setup") == Some(Setup::Run) {
        let text = "`setup = \"run\"` installs an ISM policy, and OpenSearch Serverless has none: \
                    leave it out, and weir installs the index template alone";
        input.error(section.at("setup"), text);
    }
    Some(aws)
}

/// Why requests to a host cannot be signed so.
fn not_signed_for(host: &str, aws: &Aws) -> Option<String> {
    if host.starts_with("http:") && !is_loopback(host) {
        return Some(format!(
            "{host} is reached by plain http, and requests are signed for https alone: whoever \
             reads one on its way could send it again"
        ));
    }
    let uri: http::Uri = host.parse().ok()?;
    let (service, region) = named_by(uri.host()?)?;
    if service != aws.service {
        return Some(format!(
            "by its name {host} is {}: set `service = \"{}\"` in `aws`",
            match service {
                Service::Domain => "a domain of Amazon OpenSearch Service",
                Service::Serverless => "a collection of OpenSearch Serverless",
            },
            service.word()
        ));
    }
    (region != aws.region).then(|| {
        format!(
            "by its name {host} is in the region \"{region}\", and `aws` says \"{}\"",
            aws.region
        )
    })
}

/// Diagnoses an index with a date where documents are changed later.
fn index_without_a_date(input: &mut Input<'_>, section: &Section) {
    let (at, what) = if section.is_given("index") {
        ("index", "`mode = \"latest\"`")
    } else {
        ("mode", "this mode")
    };
    let text = format!(
        "{what} needs an index without a date, because an event can repeat for days: \
         set `index` to a plain name such as \"kube-events\""
    );
    input.error(section.at(at), text);
}

/// `[dead_letter]`
pub(super) fn dead_letter(
    input: &mut Input<'_>,
    root: &Section,
    section: &Section,
) -> Option<dead_letter::Settings> {
    match section.word("kind")? {
        DeadLetterKind::Disk => {
            if section.is_given("kind") && !section.is_in_file("path") {
                input.error(section.at("kind"), "`kind = \"disk\"` needs `path` beside it");
            }
            let folder = |path| dead_letter::Settings::Disk { path };
            Some(section.path("path").map_or(dead_letter::Settings::None, folder))
        }
        DeadLetterKind::Index => {
            let index = section.text("index")?;
            if let Some(sink) = root.section("sink") {
                check_letters_index(input, section, sink, &index);
            }
            Some(dead_letter::Settings::Index { index })
        }
    }
}

/// Letters need an index of their own in an OpenSearch that the sink has.
fn check_letters_index(input: &mut Input<'_>, section: &Section, sink: &Section, index: &str) {
    match sink.word("kind") {
        Some(SinkKind::OpenSearch) => {}
        Some(SinkKind::File | SinkKind::Stdout) => {
            let text = "`kind = \"index\"` needs a sink of kind = \"opensearch\": the index is in \
                        its OpenSearch; with another sink, set `path`";
            return input.error(section.at("kind"), text);
        }
        None => return,
    }
    if documents_index(sink).is_some_and(|documents| index::holds(&documents, index)) {
        let text = format!(
            "\"{index}\" is an index that the sink writes documents to, or that has their index \
             template: give the dead letters one of their own"
        );
        let key = if section.is_given("index") { "index" } else { "kind" };
        input.error(section.at(key), text);
    }
}
