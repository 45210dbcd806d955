use proptest::prelude::*;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::read(|name| {
        variables.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned())
    })
}

fn proxy_for(variables: &[(&str, &str)], url: &str) -> String {
    match environment(variables).proxy_for(&url.parse().unwrap()) {
        Ok(Some(proxy)) => proxy.to_string(),
        Ok(None) => "directly".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_scheme_of_the_server_chooses_the_variable_and_lower_case_comes_first() {
    let both = [
        ("HTTPS_PROXY", "http://upper:1"),
        ("https_proxy", "http://lower:2"),
        ("HTTP_PROXY", "plain:3"),
    ];
    assert_eq!(proxy_for(&both, "https://a.example"), "http://lower:2");
    assert_eq!(proxy_for(&both, "http://a.example"), "http://plain:3");
    assert_eq!(proxy_for(&both[..1], "https://a.example"), "http://upper:1");
    assert_eq!(proxy_for(&both[..2], "http://a.example"), "directly");
    let empty = [("https_proxy", " "), ("HTTPS_PROXY", "http://upper:1")];
    assert_eq!(proxy_for(&empty, "https://a.example"), "http://upper:1");
}

#[test]
fn this_machine_is_no_exception_unless_it_is_named() {
    let proxy = [("https_proxy", "http://p:1"), ("no_proxy", "127.0.0.1")];
    assert_eq!(proxy_for(&proxy[..1], "https://127.0.0.1:9200"), "http://p:1");
    assert_eq!(proxy_for(&proxy[..1], "https://localhost"), "http://p:1");
    assert_eq!(proxy_for(&proxy, "https://127.0.0.1:9200"), "directly");
}

#[test]
fn what_is_an_exception() {
    let is_direct = |list: &str, url: &str| {
        proxy_for(&[("https_proxy", "http://p:1"), ("NO_PROXY", list)], url) == "directly"
    };
    for (list, direct, not) in [
        ("*", "https://a.example", ""),
        ("example.com", "https://example.com", "https://badexample.com"),
        ("example.com", "https://a.b.Example.COM.:9200", "https://example.org"),
        (".example.com", "https://a.example.com", "https://example.com"),
        ("*.example.com", "https://a.example.com", "https://example.com"),
        ("10.1.2.3", "https://10.1.2.3:6443", "https://10.1.2.4"),
        ("10.0.0.0/8", "https://10.96.0.1", "https://11.0.0.1"),
        ("fd00::/8", "https://[fd00::1]:9200", "https://[fe00::1]"),
        ("::1", "https://[::1]", "https://[::2]"),
        ("[::1]:9200", "https://[::1]:9200", "https://[::1]:9201"),
        ("a.example:9200", "https://a.example:9200", "https://a.example:9201"),
        (":443,x", "https://x", "https://any.example"),
        ("*:443,x", "https://x", "https://any.example"),
        ("*foo.com,x", "https://x", "https://foo.com"),
        ("*foo.com,x", "https://x", "https://a.foo.com"),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]", "https://[::ffff:11.0.0.1]"),
        ("::ffff:10.0.0.0/104", "https://10.0.0.1", "https://11.0.0.1"),
        ("::ffff:10.0.0.1", "https://10.0.0.1", "https://10.0.0.2"),
        ("first, second.example\t,third", "https://second.example", "https://fourth"),
        ("first second,x", "https://x", "https://second"),
        (".1,x", "https://x", "https://10.0.0.1"),
        (",, ,x", "https://x", "https://y"),
        (".svc,.cluster.local", "https://os.logs.svc.cluster.local", "https://os.logs"),
    ] {
        assert!(is_direct(list, direct), "{list} has {direct}");
        assert!(not.is_empty() || !is_direct(list, not), "{list} has not {not}");
    }
}

#[test]
fn a_proxys_url_may_lack_scheme_and_port_and_shows_no_password() {
    let shown = |text: &str| Proxy::parse(text).map(|proxy| (proxy.to_string(), proxy));
    for (text, as_shown, address) in [
        ("proxy", "http://proxy:80", "http://proxy:80"),
        ("proxy:3128/", "http://proxy:3128", "http://proxy:3128"),
        ("HTTPS://proxy", "https://proxy:443", "https://proxy:443"),
        ("http://[::1]:3128", "http://[::1]:3128", "http://[::1]:3128"),
        ("http://u:p%40ss@proxy:1", "http://***@proxy:1", "http://proxy:1"),
        ("http://u:p@ss@proxy:1", "http://***@proxy:1", "http://proxy:1"),
    ] {
        let (shown, proxy) = shown(text).unwrap();
        assert_eq!((shown.as_str(), proxy.address()), (as_shown, address), "{text}");
        assert!(!format!("{proxy:?}").contains("ss"));
    }
    let value = Proxy::parse("http://u:p%40ss%zz@proxy").unwrap().authorization().unwrap();
    assert_eq!(value, format!("Basic {}", "dTpwQHNzJXp6"));
    assert_eq!(Proxy::parse("http://proxy").unwrap().authorization(), None);
    let alone = Proxy::parse("http://user@proxy").unwrap().authorization().unwrap();
    assert_eq!(alone, "Basic dXNlcjo=", "user, a colon, and an empty password");
    let encoded = Proxy::parse("http://a%3Ab@proxy").unwrap().authorization().unwrap();
    assert_eq!(encoded, "Basic YTpiOg==");
}

#[test]
fn what_is_no_proxy_is_an_error_only_for_who_would_use_it_and_shows_no_password() {
    let wrong = [("https_proxy", "socks5://u:secret@p:1"), ("no_proxy", "a")];
    let said = proxy_for(&wrong, "https://b");
    insta::assert_snapshot!(said, @"the environment variable https_proxy: only http:// and https:// proxies are supported, not socks5://");
    assert_eq!(proxy_for(&wrong, "https://a"), "directly");
    assert_eq!(proxy_for(&wrong, "http://b"), "directly");
    for text in
        ["http://u:secret@", "http://", "http://p:0", "http://p:x", "http://a b", "http://p:"]
    {
        assert_eq!(Proxy::parse(text), Err(ProxyError::NoUrl), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}", list in ".{0,40}", host in "[a-z0-9.\\[\\]:]{0,20}") {
        let _ = Proxy::parse(&text);
        let _ = Exceptions::parse(&list).has(&host, 443);
    }

    #[test]
    fn what_is_shown_has_nothing_of_the_password(
        password in "[a-z%@:/?#]{8,20}",
        scheme in prop::sample::select(vec!["http://", "socks5://", ""]),
    ) {
        match Proxy::parse(&format!("{scheme}user:{password}@proxy:1")) {
            // What is before a slash is the host.
            Ok(proxy) if password.contains(['/', '?', '#']) => {
                prop_assert!(!proxy.to_string().contains("@proxy"));
            }
            Ok(proxy) => prop_assert_eq!(proxy.to_string(), "http://***@proxy:1"),
            Err(error) => {
                // A user in front of `://` looks like a scheme.
                let schemes = ["socks5", "user"].map(|it| ProxyError::Scheme(it.into()));
                prop_assert!(error == ProxyError::NoUrl || schemes.contains(&error), "{}", error);
            }
        }
    }
}
