//! Who weir is to a registry, out of a file as `docker login` and Kubernetes' image pull secrets
//! (`kubernetes.io/dockerconfigjson`) have it. Pure.
//!
//! Constraint: no error holds anything of what was read: it may be a password.
//!
//! Entries of `auths` are found as the kubelet finds them: that of the registry, or of the first
//! parts of the name in it, whichever is longer.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use serde::Deserialize;

use super::reference::Reference;

/// A user's name and password, or what stands for them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: String,
}

/// Why a file has no login for a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerConfigError {
    /// Not JSON, or not this JSON.
    #[error(
        "it is no Docker configuration: that is JSON with `auths`, as `docker login` and `kubectl \
         create secret docker-registry` write it"
    )]
    NotOne,
    /// It keeps logins somewhere else.
    #[error(
        "it has no login for {0} itself, and names a program that has it ({1}): weir runs none; \
         put the login into `auths` (`docker login` with another --config does)"
    )]
    Helper(String, &'static str),
    /// `auth` holds something else.
    #[error("`auth` of {0} is not base64 of USER:PASSWORD")]
    Auth(String),
    /// A token of another kind.
    #[error(
        "its login for {0} is an identity token, which only Docker can use: give a user's name and \
         a password or access token"
    )]
    IdentityToken(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    creds_store: String,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
}

/// The login for what a reference names, if the file has one.
///
/// # Errors
///
/// That the file is none, or has the login in a form that weir cannot use.
pub(super) fn login(
    config: &[u8],
    reference: &Reference,
) -> Result<Option<Login>, DockerConfigError> {
    let config: DockerConfig =
        serde_json::from_slice(config).map_err(|_| DockerConfigError::NotOne)?;
    let found = ways_to(reference).find_map(|way| {
        let mut entries = config.auths.iter();
        entries.find(|(key, entry)| normal(key) == way && !entry.is_empty())
    });
    let registry = reference.registry();
    match found {
        Some((_, entry)) => entry.login(registry).map(Some),
        None => {
            let is_helped = |key: &String| normal(key) == plain(registry);
            let kind = match () {
                () if config.cred_helpers.keys().any(is_helped) => "credHelpers",
                () if !config.creds_store.is_empty() => "credsStore",
                () => return Ok(None),
            };
            Err(DockerConfigError::Helper(registry.to_owned(), kind))
        }
    }
}

/// Whether a file is one at all.
///
/// # Errors
///
/// That it is none.
pub(super) fn check(config: &[u8]) -> Result<(), DockerConfigError> {
    let read = serde_json::from_slice::<DockerConfig>(config);
    read.map(|_| ()).map_err(|_| DockerConfigError::NotOne)
}

impl Entry {
    /// Docker leaves an empty entry where a helper has the login.
    fn is_empty(&self) -> bool {
        self.auth.is_empty() && self.username.is_empty() && self.identitytoken.is_empty()
    }

    fn login(&self, registry: &str) -> Result<Login, DockerConfigError> {
        if !self.identitytoken.is_empty() {
            return Err(DockerConfigError::IdentityToken(registry.to_owned()));
        }
        if self.auth.is_empty() {
            let (username, password) = (self.username.clone(), self.password.clone());
            return Ok(Login { username, password });
        }
        let wrong = || DockerConfigError::Auth(registry.to_owned());
        let decoded = base64::engine::general_purpose::STANDARD.decode(self.auth.trim());
        let text = String::from_utf8(decoded.map_err(|_| wrong())?).map_err(|_| wrong())?;
        // Docker ends some with a zero byte.
        let (username, password) = text.trim_end_matches('\0').split_once(':').ok_or_else(wrong)?;
        Ok(Login { username: username.to_owned(), password: password.to_owned() })
    }
}

/// The keys under which a login may stand, the nearest first: `HOST/a/b`, `HOST/a`, `HOST`.
fn ways_to(reference: &Reference) -> impl Iterator<Item = String> {
    let whole = format!("{}/{}", plain(reference.registry()), reference.repository());
    let ends: Vec<usize> = whole.match_indices('/').map(|(at, _)| at).collect();
    let shorter: Vec<String> = ends.iter().rev().map(|end| whole[..*end].to_owned()).collect();
    std::iter::once(whole).chain(shorter)
}

/// A key without what people and tools put around it: `https://registry.example/v2/`.
fn normal(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    match key.split_once('/') {
        Some((registry, rest)) => format!("{}/{rest}", plain(registry)),
        None => plain(key),
    }
}

/// A registry by one name: Docker's own has two.
fn plain(registry: &str) -> String {
    match registry.to_ascii_lowercase() {
        registry if registry == "index.docker.io" => "docker.io".to_owned(),
        registry => registry,
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(config: &str, reference: &str) -> Result<Option<(String, String)>, String> {
        let reference = Reference::of_argument(reference).unwrap();
        let login = login(config.as_bytes(), &reference).map_err(|error| error.to_string());
        Ok(login?.map(|login| (login.username, login.password)))
    }

    fn entry(key: &str, user: &str) -> String {
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:p:w"));
        format!(r#"{{"auths":{{"{key}":{{"auth":"{auth}"}}}}}}"#)
    }

    #[test]
    fn a_login_is_found_by_its_registry_however_it_is_written() {
        let found = |user: &str| Ok(Some((user.to_owned(), "p:w".to_owned())));
        for key in [
            "registry.example:5000",
            "https://registry.example:5000",
            "http://Registry.example:5000/v2/",
            "https://registry.example:5000/v1/",
            "registry.example:5000/team",
            "registry.example:5000/team/noise",
        ] {
            let config = entry(key, "me");
            assert_eq!(of(&config, "registry.example:5000/team/noise:1"), found("me"), "{key}");
            assert_eq!(of(&config, "registry.example/team/noise:1"), Ok(None), "{key}");
        }
        let docker = entry("https://index.docker.io/v1/", "me");
        assert_eq!(of(&docker, "docker.io/me/noise:1"), found("me"));
        let of_other = entry("registry.example/team", "me");
        assert_eq!(of(&of_other, "registry.example/teams/noise:1"), Ok(None));
    }

    #[test]
    fn the_nearest_entry_is_used() {
        let config = r#"{"auths":{
            "registry.example":{"username":"all","password":"1"},
            "registry.example/team":{"username":"team","password":"2"},
            "registry.example/team/empty":{}}}"#;
        let user = |reference| of(config, reference).unwrap().unwrap().0;
        assert_eq!(user("registry.example/noise:1"), "all");
        assert_eq!(user("registry.example/team/noise:1"), "team");
        assert_eq!(user("registry.example/team/empty:1"), "team");
    }

    #[test]
    fn what_cannot_be_used_is_told_without_showing_it() {
        let said = |config: &str| of(config, "registry.example/a:1").unwrap_err();
        insta::assert_snapshot!(said("hunter2"), @"it is no Docker configuration: that is JSON with `auths`, as `docker login` and `kubectl create secret docker-registry` write it");
        insta::assert_snapshot!(said(r#"{"auths":{"registry.example":{}},"credsStore":"desktop"}"#), @"it has no login for registry.example itself, and names a program that has it (credsStore): weir runs none; put the login into `auths` (`docker login` with another --config does)");
        insta::assert_snapshot!(said(r#"{"credHelpers":{"registry.example":"gcloud"}}"#), @"it has no login for registry.example itself, and names a program that has it (credHelpers): weir runs none; put the login into `auths` (`docker login` with another --config does)");
        insta::assert_snapshot!(said(r#"{"auths":{"registry.example":{"auth":"aHVudGVyMg=="}}}"#), @"`auth` of registry.example is not base64 of USER:PASSWORD");
        insta::assert_snapshot!(said(r#"{"auths":{"registry.example":{"auth":"aDpo","identitytoken":"hunter2"}}}"#), @"its login for registry.example is an identity token, which only Docker can use: give a user's name and a password or access token");
        assert_eq!(
            of(r#"{"credHelpers":{"other.example":"x"}}"#, "registry.example/a:1"),
            Ok(None)
        );
        assert_eq!(of("{}", "registry.example/a:1"), Ok(None));
    }

    proptest! {
        #[test]
        fn any_user_and_password_come_out_as_they_went_in(
            user in "[^:\\x00]{1,20}", password in "[^\\x00]{0,20}",
        ) {
            let auth = format!("{user}:{password}");
            let auth = base64::engine::general_purpose::STANDARD.encode(auth);
            let config = format!(r#"{{"auths":{{"registry.example":{{"auth":"{auth}"}}}}}}"#);
            prop_assert_eq!(of(&config, "registry.example/a:1"), Ok(Some((user, password))));
        }

        #[test]
        fn no_bytes_make_it_panic(config in prop::collection::vec(any::<u8>(), 0..60)) {
            let reference = Reference::of_argument("registry.example/a:1").unwrap();
            let _ = login(&config, &reference);
        }

        #[test]
        fn nothing_of_a_password_is_in_an_error(password in "[a-z]{12,20}") {
            for config in [
                password.clone(),
                format!(r#"{{"auths":{{"registry.example":{{"auth":"{password}!"}}}}}}"#),
                format!(r#"{{"auths":{{"registry.example":"{password}"}}}}"#),
                format!(r#"{{"auths":{{"registry.example":{{"identitytoken":"{password}"}}}}}}"#),
            ] {
                prop_assert!(!of(&config, "registry.example/a:1").unwrap_err().contains(&password));
            }
        }
    }
}
